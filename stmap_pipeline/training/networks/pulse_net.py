"""Pulse network: block traces in; a probability distribution over heart rates, a pulse wave, and attention over blocks and time out.

It reads traces, not maps, and any number of blocks in any order. From top to bottom:

1. :func:`prepare`: each block relative to its trend, in seven color mixes, at 15 Hz. Everything about the input is in there.
2. *Encoder*, shared by all blocks: convolutions over time; each block also hears the mean of all blocks.
3. *Spatial attention*: for each head and moment a softmax over the blocks; weighted mean and weighted deviation of their features.
4. *Decoder*: dilated convolutions over time, with the motion of the head as a further input, to a few waves. The first is the pulse.
5. *Temporal attention*: a weight for each moment, before the spectra of the waves are taken.
6. *Rate head*: convolutions along the axis of rates, over the power of each wave at half the rate, the rate and the double rate, that
   of the mixes, pooled by the spatial attention, and that of the head's motion. One more class says that there is no pulse. Softmax.

What was not seen (NaN) has no weight in any of these. :func:`pulse_loss` is what the network is trained by: the distribution alone where
only a heart rate is known, the wave in addition where there is a trustworthy one. Equations and measurements are in
docs/explanation/pulse-network.md.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool1d, conv1d, pad

from stmap_pipeline.signals.rate_grid import best_rates
from stmap_pipeline.torch import Batch
from stmap_pipeline.training.networks.base import Network, Rates
from stmap_pipeline.weights.pulse_net import (
    DEVIATION,
    GROUPS,
    HALF_BAND,
    INPUT_HZ,
    LARGEST,
    MIXES,
    MOTIONS,
    NEAR_STEPS,
    RATES_BPM,
    SAMPLES,
    STEP,
    TREND,
    WAVE_HZ,
)

#: A training batch has from 4 to 16 of the blocks, or to a third of them where that is more, drawn at random; and 1 to 3 in this share of the batches. That is
#: faster, and good for any grid.
FEW_BLOCKS_SHARE = 0.1
#: Share of the windows of a training batch whose motion is hidden, as it is where there are no landmarks.
HIDDEN_MOTION_SHARE = 0.25

_TINY = 1e-9


class Features(NamedTuple):
    """Input of the layers, made by :func:`prepare`.

    Parameters
    ----------
    blocks : (B, N, 2 M, S) tensor
        Mixes at 15 Hz: first relative to the usual block of the window, then each relative to its own moving deviation.
    level : (B, N, M) tensor
        Logarithm of the deviation of each mix over the window.
    seen : (B, N, S) tensor
        1 where the block was seen, else 0.
    motion : (B, 9, S) tensor
        Motion of the head, relative to its moving deviation (4) and as it is (4), and 1 where it is known.
    """

    blocks: Tensor
    level: Tensor
    seen: Tensor
    motion: Tensor


class PulseOutput(NamedTuple):
    """What :class:`PulseNetwork` returns for a batch.

    Parameters
    ----------
    log_probability : (B, R) tensor
        Logarithm of the probability that there is a pulse and has this rate, one of :data:`RATES_BPM`.
    log_no_pulse : (B,) tensor
        Logarithm of the probability that there is no pulse. All probabilities of a window add up to 1.
    wave : (B, S) tensor
        Pulse at 15 Hz, in arbitrary units and of either sign; sample k stands at input sample 2 k.
    block_weights : (B, N) tensor
        Spatial attention, mean over heads and time; the sum over blocks is 1, less the share of time in which none was seen.
    time_weights : (B, S) tensor
        Temporal attention, 0 to 1; 0 where no block was seen.
    """

    log_probability: Tensor
    log_no_pulse: Tensor
    wave: Tensor
    block_weights: Tensor
    time_weights: Tensor


@torch.no_grad()
def prepare(means: Tensor, motion: Tensor | None = None) -> Features:
    """Compute the input of the layers from block means and the motion of the head.

    Parameters
    ----------
    means : (B, T, N, 3) tensor
        R, G, B of the blocks in gray levels on a uniform clock of 30 Hz, NaN where not seen.
    motion : (B, T, 4) tensor, optional
        Of the head: x and y of its center in face widths, logarithm of its size, and roll in radians; NaN where not known.

    Examples
    --------
    >>> features = prepare(torch.full((2, 300, 25, 3), 120.0))
    >>> features.blocks.shape, features.motion.shape
    (torch.Size([2, 25, 14, 150]), torch.Size([2, 9, 150]))
    """
    count, samples, blocks, _ = means.shape
    rows = means.permute(0, 2, 3, 1).reshape(count * blocks, 3, samples)
    trend, seen = _trend(rows)
    # a gray level at least: a black block has no relative change
    relative = torch.where(seen > 0, (rows - trend) / trend.clamp(min=1.0), 0.0)
    relative, seen = _half_rate(relative, seen)
    mixes = torch.einsum("mc,bcs->bms", torch.tensor(MIXES, dtype=relative.dtype, device=relative.device), relative)
    share = seen.mean(dim=2, keepdim=True)
    deviation = (mixes.square().mean(dim=2, keepdim=True) / share.clamp(min=_TINY)).sqrt()
    known = torch.where(share > 0, deviation, torch.nan).reshape(count, blocks, -1)
    usual = known.nanmedian(dim=1, keepdim=True).values.nan_to_num(1.0).expand_as(known).reshape(deviation.shape)
    return Features(
        torch.cat([(mixes / (usual + 1e-6)).clamp(-LARGEST, LARGEST), _by_own_deviation(mixes, seen)], dim=1).reshape(
            count, blocks, 2 * len(MIXES), -1
        ),
        torch.log(deviation + 1e-5).reshape(count, blocks, -1) / 2 + 3,
        seen.reshape(count, blocks, -1),
        _motion(motion, relative.new_zeros(count, MOTIONS, relative.shape[2])),
    )


def _trend(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return the moving average of the moving average of rows (B, C, T), and (B, 1, T) where all of C are known."""
    seen = rows.isfinite().all(dim=1, keepdim=True)
    weight = seen.to(rows.dtype)
    share = _moving_mean(weight, TREND)
    near = (share > 0).to(rows.dtype)
    once = _moving_mean(rows.masked_fill(~seen, 0.0), TREND) / share.clamp(min=_TINY) * near
    return _moving_mean(once, TREND) / _moving_mean(near, TREND).clamp(min=_TINY), weight


def _moving_mean(rows: Tensor, size: int) -> Tensor:
    """Return the moving mean of rows (B, C, T) that are 0 beyond their ends; ``size`` is odd."""
    samples = rows.shape[2]
    sums = pad(rows.double().cumsum(dim=2), (1, 0))
    at = torch.arange(samples, device=rows.device)
    above, below = (at + size // 2 + 1).clamp(max=samples), (at - size // 2).clamp(min=0)
    return ((sums[:, :, above] - sums[:, :, below]) / size).to(rows.dtype)


def _half_rate(rows: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Return every second sample of low-passed rows, 0 where not seen, and where they are seen."""
    taps = torch.tensor(HALF_BAND, dtype=rows.dtype, device=rows.device)[None, None]
    half = conv1d(rows.reshape(-1, 1, rows.shape[2]), taps, stride=2, padding=len(HALF_BAND) // 2)
    seen = seen[:, :, ::2]
    return half.reshape(*rows.shape[:2], -1) * seen, seen


def _by_own_deviation(rows: Tensor, seen: Tensor) -> Tensor:
    """Return rows divided by their deviation in a moving window."""
    power = _moving_mean(rows.square(), DEVIATION).clamp(min=0) / _moving_mean(seen, DEVIATION).clamp(min=_TINY)
    return (rows / (power + _TINY).sqrt()).clamp(-LARGEST, LARGEST) * seen


def _motion(motion: Tensor | None, nothing: Tensor) -> Tensor:
    """Return the (B, 9, S) features of the motion of the head; zeros where it is not known."""
    if motion is None:
        return torch.cat([nothing, nothing, nothing[:, :1]], dim=1)
    rows = motion.transpose(1, 2)
    trend, seen = _trend(rows)
    change, seen = _half_rate(torch.where(seen > 0, rows - trend, 0.0), seen)
    # one percent of the size of the face is much
    return torch.cat([_by_own_deviation(change, seen), torch.asinh(300 * change), seen], dim=1)


class EncoderLayer(nn.Module):
    """Add a normalized convolution over time to its input (B, C, S).

    Parameters
    ----------
    channels : int
    dilation : int
    """

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(channels, channels, 5, padding=2 * dilation, dilation=dilation)
        self.norm = nn.GroupNorm(GROUPS, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the layer's output, of the shape of its input."""
        return x + nn.functional.silu(self.norm(self.conv(x)))


class DecoderLayer(nn.Module):
    """Add a dilated convolution over time, and a mix of channels, to its input (B, C, S).

    Parameters
    ----------
    channels : int
    dilation : int
    """

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, channels)
        self.conv = nn.Conv1d(channels, channels, 5, padding=2 * dilation, dilation=dilation)
        self.mix = nn.Conv1d(channels, channels, 1)
        nn.init.normal_(self.mix.weight, std=0.3 / math.sqrt(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Compute the layer's output, of the shape of its input."""
        inner = nn.functional.silu(self.conv(nn.functional.silu(self.norm(x))))
        return x + self.mix(inner)  # type: ignore[no-any-return]


class PulseNetwork(Network):
    """Estimate heart rate and pulse from block traces.

    Parameters
    ----------
    channels : int
        Features of a block, a multiple of ``heads`` and of 4.
    heads : int
        Of the spatial attention; each weights its share of the features.
    width : int
        Features of the face in the decoder, a multiple of 4.
    dilations : sequence of int
        One decoder layer each.
    waves : int
    motion_channels : int
        Features of the motion of the head; 0 for a network that does not see it.

    Examples
    --------
    >>> network = PulseNetwork().eval()
    >>> output = network(torch.full((2, 300, 25, 3), 120.0))
    >>> output.log_probability.shape, output.wave.shape, output.block_weights.shape
    (torch.Size([2, 185]), torch.Size([2, 150]), torch.Size([2, 25]))
    >>> network(torch.full((1, 450, 4, 3), 120.0)).wave.shape
    torch.Size([1, 225])
    """

    rate_hz = INPUT_HZ
    samples = SAMPLES
    any_grid = True

    def __init__(
        self,
        *,
        channels: int = 32,
        heads: int = 4,
        width: int = 64,
        dilations: tuple[int, ...] = (1, 2, 4, 8),
        waves: int = 4,
        motion_channels: int = 16,
        rate_channels: int = 32,
    ) -> None:
        super().__init__()
        self.heads, self.waves = heads, waves
        self.stem = nn.Conv1d(2 * len(MIXES), channels, 3 * STEP, stride=STEP, padding=STEP)
        self.level = nn.Linear(len(MIXES), channels)
        self.stem_norm = nn.GroupNorm(GROUPS, channels)
        self.encoder = nn.ModuleList([EncoderLayer(channels, 1), EncoderLayer(channels, 2)])
        self.context = nn.Linear(channels, channels)
        self.score = nn.Conv1d(channels, heads, 1)
        self.motion_stem = (
            nn.Conv1d(2 * MOTIONS + 1, motion_channels, 3 * STEP, stride=STEP, padding=STEP) if motion_channels else None
        )
        self.enter = nn.Conv1d(2 * channels + motion_channels, width, 1)
        self.decoder = nn.ModuleList(DecoderLayer(width, one) for one in dilations)
        self.decoder_norm = nn.GroupNorm(GROUPS, width)
        self.to_waves = nn.Conv1d(width, waves * STEP, 5, padding=2)
        self.to_time_weights = nn.Conv1d(width, 1, 5, padding=2)
        nn.init.zeros_(self.to_time_weights.weight)
        self.rate_head = nn.Sequential(
            nn.Conv1d(3 * waves + 2 * len(MIXES) + (MOTIONS + 1 if motion_channels else 0), rate_channels, 9, padding=4),
            nn.SiLU(),
            nn.Conv1d(rate_channels, rate_channels, 9, padding=8, dilation=2),
            nn.SiLU(),
            nn.Conv1d(rate_channels, 1, 9, padding=4),
        )
        self.no_pulse = nn.Sequential(nn.Linear(2 * width + 2, 32), nn.SiLU(), nn.Linear(32, 1))

    def forward(self, means: Tensor, motion: Tensor | None = None) -> PulseOutput:
        """Estimate each window of a batch.

        Parameters
        ----------
        means : (B, T, N, 3) tensor
            R, G, B of the blocks in gray levels on a uniform clock of 30 Hz, NaN where not seen. Trained on 10 s; any length of 4 s
            or more, and any number of blocks.
        motion : (B, T, 4) tensor, optional
            See :func:`prepare`.
        """
        if means.ndim != 4 or means.shape[3] != 3:
            raise ValueError(f"the network reads block means (B, T, N, 3), not an array {tuple(means.shape)}")
        return self.estimate(prepare(means, motion))

    def inputs(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """Return block means and head motion; in training some of the blocks, and the motion of some windows."""
        means, motion = batch.means, batch.motion
        if not self.training:
            return means, motion
        # drawn on the CPU, so that a seed means the same on each device
        few = bool(torch.rand(()) < FEW_BLOCKS_SHARE)
        count = int(torch.randint(1, 4, ()) if few else torch.randint(4, max(16, means.shape[2] // 3) + 1, ()))
        means = means[:, :, torch.randperm(means.shape[2])[:count].to(means.device)]
        if few:
            # as a finger on the lens, whose pulse may be in red alone
            means = means[..., torch.randperm(3).to(means.device)]
        if motion is not None:
            hidden = (torch.rand(len(motion)) < HIDDEN_MOTION_SHARE).to(motion.device)
            motion = motion.masked_fill(hidden[:, None, None], torch.nan)
        return means, motion

    def loss(self, output: PulseOutput, batch: Batch) -> Tensor:
        """Return :func:`pulse_loss`; a window without a heart rate is one without a pulse."""
        return pulse_loss(output, batch.heart_rate_bpm, batch.pulse)

    def rates(self, output: PulseOutput, batch: Batch) -> Rates:  # noqa: ARG002 - the output says it all
        """Return the heart rate around which most of the probability lies, and the probability there."""
        best_bpm, confidence = best_rates(RATES_BPM, output.log_probability.detach().double().exp().cpu().numpy())
        return Rates(torch.from_numpy(best_bpm), torch.from_numpy(confidence))

    @torch.no_grad()
    def attention_maps(self, batch: Batch) -> dict[str, Tensor]:
        """Return the spatial attention ``spatial`` (B, N, T), the same at all times, and the temporal attention ``time`` (B, S)."""
        output = self(*self.inputs(batch))
        return {
            "spatial": output.block_weights[:, :, None].expand(-1, -1, batch.means.shape[1]),
            "time": output.time_weights,
        }

    def estimate(self, features: Features) -> PulseOutput:
        """Estimate each window of a batch from prepared features."""
        samples = features.seen.shape[2]
        # whole steps: what is added was not seen
        features = Features(*(one if one is features.level else pad(one, (0, -samples % STEP)) for one in features))
        blocks, seen = self._encode(features)
        face, block_weights = self._attend(blocks, seen)
        face = self._decode(face, features.motion)
        batch, _, steps = face.shape
        waves = self.to_waves(face).reshape(batch, self.waves, STEP, steps).transpose(2, 3).reshape(batch, self.waves, -1)
        weights = torch.sigmoid(self.to_time_weights(face)[:, 0]) * seen.any(dim=1)
        moments = weights.repeat_interleave(STEP, dim=1)
        pooled = torch.einsum("bncs,bn->bcs", features.blocks, block_weights)
        scores = self._rate_scores(waves, pooled, moments, features.motion)
        log_probability = torch.log_softmax(torch.cat([scores, self._no_pulse_score(face, weights, scores)], dim=1), dim=1)
        return PulseOutput(
            log_probability[:, :-1], log_probability[:, -1], waves[:, 0, :samples], block_weights, moments[:, :samples]
        )

    def _encode(self, features: Features) -> tuple[Tensor, Tensor]:
        """Return the features (B, N, C, steps) of the blocks, and (B, N, steps) where they are seen."""
        batch, blocks, channels, samples = features.blocks.shape
        seen = avg_pool1d(features.seen, STEP) >= 0.5
        x = self.stem(features.blocks.reshape(-1, channels, samples)) + self.level(features.level).reshape(batch * blocks, -1, 1)
        x = self.encoder[0](nn.functional.silu(self.stem_norm(x)))
        each = x.reshape(batch, blocks, *x.shape[1:])
        weight = seen[:, :, None].to(x.dtype)
        mean = (each * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1)
        each = each + self.context(mean.transpose(1, 2)).transpose(1, 2)[:, None]
        x = self.encoder[1](each.reshape(x.shape))
        return x.reshape(each.shape), seen

    def _attend(self, blocks: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Return the weighted mean and deviation (B, 2 C, steps) over the blocks, and the (B, N) mean weight of each."""
        batch, count, _, steps = blocks.shape
        scores = self.score(blocks.flatten(0, 1))
        scores = avg_pool1d(pad(scores, (NEAR_STEPS, NEAR_STEPS), mode="replicate"), 2 * NEAR_STEPS + 1, stride=1)
        scores = scores.reshape(batch, count, self.heads, steps).masked_fill(~seen[:, :, None], -1e4)
        weights = torch.softmax(scores, dim=1) * seen.any(dim=1)[:, None, None]
        split = blocks.reshape(batch, count, self.heads, -1, steps)
        mean = (weights[:, :, :, None] * split).sum(dim=1)
        variance = (weights[:, :, :, None] * split.square()).sum(dim=1) - mean.square()
        deviation = (variance.clamp(min=0) + 1e-4).sqrt()
        return torch.cat([mean.flatten(1, 2), deviation.flatten(1, 2)], dim=1), weights.mean(dim=(2, 3))

    def _decode(self, face: Tensor, motion: Tensor) -> Tensor:
        """Return the features (B, W, steps) of the face."""
        if self.motion_stem is not None:
            face = torch.cat([face, nn.functional.silu(self.motion_stem(motion))], dim=1)
        x = self.enter(face)
        for layer in self.decoder:
            x = layer(x)
        return nn.functional.silu(self.decoder_norm(x))

    def _rate_scores(self, waves: Tensor, pooled: Tensor, moments: Tensor, motion: Tensor) -> Tensor:
        """Return the score (B, R) of each rate from waves (B, K, S), mixes (B, 2 M, S), weights over time (B, S) and motion."""
        # no taper: the weights over time learn the best one
        window = moments[:, None]
        rates = torch.as_tensor(RATES_BPM, dtype=waves.dtype, device=waves.device)
        spectra = [_log_power(waves, window, factor * rates) for factor in (0.5, 1.0, 2.0)]
        channels = [*spectra, _log_power(pooled, window, rates)]
        if self.motion_stem is not None:
            known = motion[:, -1:]
            hann = torch.hann_window(known.shape[2], periodic=False, dtype=known.dtype, device=known.device)
            moved = _log_power(motion[:, :MOTIONS], hann * known, rates)
            channels += [moved, known.mean(dim=2, keepdim=True).expand(-1, -1, len(rates))]
        scores: Tensor = self.rate_head(torch.cat(channels, dim=1))[:, 0] + spectra[1][:, 0]
        return scores

    def _no_pulse_score(self, face: Tensor, weights: Tensor, scores: Tensor) -> Tensor:
        """Return the score (B, 1) of the class without a pulse."""
        weight = (weights / weights.sum(dim=1, keepdim=True).clamp(min=1e-3))[:, None]
        mean = (face * weight).sum(dim=2, keepdim=True)
        deviation = (((face - mean).square() * weight).sum(dim=2) + 1e-4).sqrt()
        best = [torch.logsumexp(scores, dim=1, keepdim=True), scores.amax(dim=1, keepdim=True)]
        score: Tensor = self.no_pulse(torch.cat([mean[:, :, 0], deviation, *best], dim=1))
        return score


def _log_power(waves: Tensor, window: Tensor, rates_bpm: Tensor) -> Tensor:
    """Return the logarithm of the share of a wave's windowed energy at some rates: (B, K, S) and (B, 1, S) to (B, K, R)."""
    samples = waves.shape[2]
    # a phase needs more digits than half precision has
    waves, window, rates_bpm = waves.float(), window.float(), rates_bpm.float()
    total = window.sum(dim=2, keepdim=True).clamp(min=1e-3)
    waves = (waves - (waves * window).sum(dim=2, keepdim=True) / total) * window
    angle = 2 * math.pi / (60 * WAVE_HZ) * torch.arange(samples, dtype=waves.dtype, device=waves.device)[:, None] * rates_bpm
    with torch.autocast(waves.device.type, enabled=False):
        power = (waves @ angle.cos()).square() + (waves @ angle.sin()).square()
    # a sinusoid has a share of about 1 / 2
    energy = waves.square().sum(dim=2, keepdim=True) * total
    return torch.log(power / (energy + 1e-6) + 1e-3)


def pulse_loss(
    output: PulseOutput, heart_rate_bpm: Tensor, pulse: Tensor | None = None, *, width_bpm: float = 1.5, wave_share: float = 0.5
) -> Tensor:
    """Compute the mean loss of a batch.

    It is the cross-entropy of the distribution to a narrow Gaussian around the true rate, or to the class without a pulse; plus, where a
    pulse is given, one minus the absolute correlation of the wave with it.

    Parameters
    ----------
    output : PulseOutput
    heart_rate_bpm : (B,) tensor
        Mean of the window; NaN where it is known that there is no pulse.
    pulse : (B, T) tensor, optional
        On the clock of the input; NaN all over where not known.
    width_bpm : float
        Standard deviation of the Gaussian.
    wave_share : float
        Weight of the second term.

    Examples
    --------
    >>> network = PulseNetwork().eval()
    >>> output = network(torch.full((2, 300, 25, 3), 120.0))
    >>> bool(pulse_loss(output, torch.tensor([70.0, torch.nan])) > 0)
    True
    """
    rates = torch.as_tensor(RATES_BPM, dtype=torch.float32, device=heart_rate_bpm.device)
    there = heart_rate_bpm.isfinite()
    rate = heart_rate_bpm.nan_to_num(60.0).float().clamp(float(rates[0]), float(rates[-1]))
    target = torch.softmax(-0.5 * ((rates - rate[:, None]) / width_bpm).square(), dim=1)
    rate_loss = -(target * output.log_probability.float()).sum(dim=1)
    loss = torch.where(there, rate_loss, -output.log_no_pulse.float()).mean()
    if pulse is None or wave_share == 0:
        return loss
    wave = output.wave.float()
    true = pulse[:, ::2].float()
    known = (there & true.isfinite().all(dim=1)).float()
    true = true.nan_to_num(0.0)
    true, wave = true - true.mean(dim=1, keepdim=True), wave - wave.mean(dim=1, keepdim=True)
    correlation = (true * wave).sum(dim=1) / (true.norm(dim=1) * wave.norm(dim=1)).clamp(min=1e-6)
    wave_loss: Tensor = (known * (1 - correlation.abs())).mean()
    return loss + wave_share * wave_loss
