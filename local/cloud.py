"""One local cloud from nothing to a deployed API with a plain address."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from local import emulator as emulators
from local import ports
from local.deploy import Deployer, Deployment
from local.emulator import Emulator
from local.places import Places
from local.progress import Progress
from local.proxy import Proxy
from shared.adapters.management_api import Management

KEY_FORMAT: Final = "gw_{id}_{secret}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """A running local cloud."""

    places: Places
    emulator: Emulator
    proxy: Proxy
    deployment: Deployment
    management: Management

    @property
    def url(self) -> str:
        """The public base address of the API and of short links."""
        return self.proxy.url


@contextmanager
def running(places: Places, progress: Progress, *, fresh: bool = False) -> Iterator[Cloud]:
    """Start, deploy if something changed, and stop everything at the end.

    ``fresh`` forgets what an earlier start left.

    Raises:
        BusyError: another local cloud runs in the same folder.
        PortError: a port that was asked for is taken.
        EmulatorError: the emulator did not start.
        DeployError: the template could not be deployed.
    """
    with places.locked() as lock:
        if fresh:
            places.wipe()
        places.prepare()
        chosen = ports.choose(places)
        emulator = emulators.start(places, chosen.emulator, inherited=(lock,))
        proxy = Proxy(port=chosen.public, emulator_port=chosen.emulator)
        try:
            progress.step(f"the emulator answers on {emulator.url}")
            proxy.start()
            deployer = Deployer(
                places=places,
                emulator_port=chosen.emulator,
                public_url=proxy.url,
                progress=progress,
            )
            deployment = deployer.current(emulator)
            if deployment is None:
                deployment = deploy(deployer, emulator, progress)
            else:
                progress.step("nothing has changed since the last deployment")
            proxy.api_id = deployment.api_id
            key = admin_key(emulator, deployment)
            yield Cloud(
                places=places,
                emulator=emulator,
                proxy=proxy,
                deployment=deployment,
                management=Management(base_url=proxy.url, key=key),
            )
        finally:
            proxy.stop()
            emulator.stop()


def deploy(deployer: Deployer, emulator: Emulator, progress: Progress) -> Deployment:
    """Synthesize, bootstrap and deploy; the first two at the same time.

    Raises:
        DeployError: a command failed.
    """
    with ThreadPoolExecutor(max_workers=1) as pool:
        with progress.timed("cdk synth"):
            synthesis = pool.submit(deployer.synthesize)
            deployer.bootstrap(emulator)
            synthesis.result()
        return deployer.deploy(emulator)


def admin_key(emulator: Emulator, deployment: Deployment) -> str:
    """Return the first management key, as the deployment generated it.

    Raises:
        EmulatorError: the secret can't be read.
    """
    answer = emulators.service(
        emulator.port,
        "secretsmanager",
        "secretsmanager.GetSecretValue",
        {"SecretId": deployment.outputs["AdminSecretName"]},
    )
    return KEY_FORMAT.format(**json.loads(answer["SecretString"]))
