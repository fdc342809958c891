"""``python -m local run`` and ``python -m local demo``."""

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from types import FrameType

from local import cloud as clouds
from local.demo_pages import HOME_PATH, Pages
from local.deploy import DeployError
from local.emulator import EmulatorError
from local.places import BASE, BusyError, Places
from local.ports import PortError
from local.progress import Progress
from local.seed import seed
from local.story import Story, StoryError
from shared.adapters.management_api import ApiError

FAILURES = (ApiError, BusyError, DeployError, EmulatorError, PortError, StoryError)
DEMO_FOLDER = "demo"
STOPPED_BY_USER = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the status for the shell."""
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    parser.add_argument("command", choices=("run", "demo"))
    command = parser.parse_args(arguments).command
    # SIGTERM ends like Ctrl-C, so that the emulator saves its state either way. And a shell that
    # starts a command in the background lets it ignore Ctrl-C's own signal.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, interrupt)
    progress = Progress()
    try:
        return run(progress) if command == "run" else demo(progress)
    except KeyboardInterrupt:
        progress.say("\nstopped")
        return 0 if command == "run" else STOPPED_BY_USER
    except FAILURES as error:
        progress.say(f"\n{command} failed: {error}")
        return 1


def interrupt(_signal: int, _frame: FrameType | None) -> None:
    """Turn a signal into the same exception as Ctrl-C.

    Raises:
        KeyboardInterrupt: always.
    """
    raise KeyboardInterrupt


def run(progress: Progress) -> int:
    """Start the local cloud with its demo programme and stay until Ctrl-C."""
    with clouds.running(Places(home=BASE), progress) as cloud:
        demo = seed(cloud)
        cloud.proxy.pages = Pages(url=cloud.url, demo=demo, management=cloud.management)
        progress.step("ready")
        progress.say(
            f"""
  a partner's short link   {cloud.url}/{demo.link_code}
  what happened            {cloud.url}{HOME_PATH}
  HubSpot deliveries       {demo.sources["hubspot"].url}
  standard deliveries      {demo.sources["standard"].url}
  management API           {cloud.url}/v1/manage/
  keys and addresses       {cloud.places.endpoints}

  Follow the short link, send the form, then look at what happened. Ctrl-C stops; the data stays."""
        )
        threading.Event().wait()
    return 0


def demo(progress: Progress) -> int:
    """Tell the story in a fresh local cloud, and stop it."""
    places = Places(home=BASE / DEMO_FOLDER)
    progress.step("a fresh local cloud for the story")
    with clouds.running(places, progress, fresh=True) as cloud:
        story = Story(cloud=cloud, demo=seed(cloud), progress=progress)
        wrong = story.tell()
    if wrong:
        progress.say(f"\n{wrong} figures are wrong.")
        return 1
    progress.say("")
    progress.step("every figure is right")
    return 0


if __name__ == "__main__":
    sys.exit(main())
