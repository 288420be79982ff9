"""Networks that learn heart rate from maps, and the loop that trains them. torch comes with the extra ``train``."""
