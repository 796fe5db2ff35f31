"""Where a client of a gateway can send it: not to the machine that it runs on, nor to the network behind that, in
whatever way that is written."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from gateways import SMALL, Running, running_gateway

from flowdsl_steps.image.simulator import Fault

FLOWS = {
    "rest": 'flow:\n  - {step: REST, url: "{{ inputs.url }}"}\n',
    "edit": """\
flow:
  - {step: OPENAI_IMAGE_EDIT, model: gpt-image-2, quality: low, images: "{{ inputs.url }}", instruction: "A kite"}
""",
}


def _own_names() -> list[str]:
    """The name of this machine, where it leads to itself."""
    name = socket.gethostname()
    try:
        return [name] if ipaddress.ip_address(socket.gethostbyname(name)).is_loopback else []
    except OSError:
        return []


HOSTS = [
    *("127.0.0.1", "127.1", "2130706433", "0x7f000001", "0.0.0.0", "localhost", "kite.localhost", "LOCALHOST"),  # noqa: S104
    *("[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "1.1.1.1@127.0.0.1"),
    *("169.254.169.254", "[fe80::1]", "10.0.0.1", "192.168.0.1", "[fd00::1]"),
    *_own_names(),
]


_REFUSED = ("private_address", "invalid_image_url", "wrong_pattern", "invalid_url")


class Canary:
    """What must not be connected to."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self.port = listening.getsockname()[1]

    @property
    def is_alone(self) -> bool:
        """Whether nobody has connected to it."""
        try:
            self._listening.accept()[0].close()
        except BlockingIOError:
            return True
        return False


@pytest.fixture
def canary() -> Iterator[Canary]:
    """A port of this machine, at all of its addresses."""
    with socket.create_server(("", 0)) as listening:
        listening.setblocking(False)
        yield Canary(listening)


@pytest.fixture(scope="module")
def reaching(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A gateway with flows that go where a client says."""
    folder = tmp_path_factory.mktemp("reach")
    for id, text in FLOWS.items():
        (folder / f"{id}.flow.yaml").write_text(f"inputs: {{url: {{type: string}}}}\n{text}", encoding="utf-8")
    with running_gateway(folder, '[serve]\nflows = ["rest.flow.yaml", "edit.flow.yaml"]\n') as found:
        yield found


@pytest.mark.long
@pytest.mark.parametrize("host", HOSTS)
def test_no_address_of_a_picture_or_a_flow_leads_to_this_machine(reaching: Running, canary: Canary, host: str) -> None:
    url = f"http://{host}:{canary.port}/kite.png"
    edit = reaching.post({**SMALL, "prompt": "A kite", "images": [{"image_url": url}]}, "/v1/images/edits")
    assert (edit.status_code, edit.json()["error"]["code"]) == (400, "invalid_image_url")
    for flow in FLOWS:
        found = reaching.post({"inputs": {"url": url}}, f"/flows/{flow}/runs")
        assert found.json()["error"]["code"] in _REFUSED, found.text
    assert canary.is_alone and reaching.bought == 0


@pytest.mark.parametrize("path", ["/etc/passwd", "../kite.png", "file:///etc/passwd", "state/serve.key", "~/kite.png"])
def test_no_file_of_this_machine_is_a_picture_of_a_client(reaching: Running, path: str) -> None:
    edit = reaching.post({**SMALL, "prompt": "A kite", "images": [{"image_url": path}]}, "/v1/images/edits")
    flow = reaching.post({"inputs": {"url": path}}, "/flows/edit/runs")
    assert edit.status_code == flow.status_code == 400 and flow.json()["error"]["code"] == "file_by_value"
    assert reaching.bought == 0 and str(Path.cwd()) not in flow.text


@pytest.mark.parametrize("place", ["http://169.254.169.254/kite.png", "http://10.0.0.1/", "file:///etc/passwd"])
def test_an_address_that_a_service_names_does_not_lead_into_the_network_behind_it(tmp_path: Path, place: str) -> None:
    with running_gateway(tmp_path, faults=[Fault("redirect", location=place)]) as gateway:
        found = gateway.post({**SMALL, "prompt": "A kite"})
        assert found.status_code == 502 and found.json()["error"]["charge_possible"], found.text
        assert found.headers["x-should-retry"] == "false"
