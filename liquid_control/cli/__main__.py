"""Entry point of `python -m liquid_control.cli`."""

from liquid_control.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
