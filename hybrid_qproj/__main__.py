"""``python -m hybrid_qproj``, which ``accelerate launch -m hybrid_qproj`` needs."""

from hybrid_qproj.cli import main

main()
