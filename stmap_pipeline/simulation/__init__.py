"""Simulated people in front of simulated cameras, as numbers: block means, motion and pulse, without any pixel.

====================  ==================================================================
:mod:`.face`          mean face: landmarks, skin tones, and what its blocks show
:mod:`.pulse`         heart rate and blood volume wave
:mod:`.trace_model`   one recording of VIPL-HR's kind
====================  ==================================================================
"""
