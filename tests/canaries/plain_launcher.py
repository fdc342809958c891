"""Start the emulator as it comes, without the corrections of ``local/launcher.py``."""

from importlib import import_module

import_module("ministack.app").main()
