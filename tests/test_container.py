"""What Dockerfile and compose file promise, read from them; the health check is run against a real server."""

import json
import re
import shlex
import subprocess
import sys
import tomllib
from urllib.parse import urlsplit

import pytest
import yaml

from data.text import MAX_BYTES
from tests.conftest import ROOT, free_port, running_server
from web.connections import COOKIES, HEAD

TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")
STEPS = [  # (instruction, rest), continued lines joined
    tuple(line.split(maxsplit=1))
    for line in re.sub(r"\\\n", " ", re.sub(r"(?m)^#.*\n", "", TEXT)).splitlines()
    if line.strip()
]
SCALED = yaml.safe_load((ROOT / "compose.scale.yaml").read_text(encoding="utf-8"))
SERVICE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]["petrol"]


def all_of(instruction):
    return [rest for name, rest in STEPS if name == instruction]


def the(instruction):
    (rest,) = all_of(instruction)
    return rest


def place(instruction, word=""):
    return next(i for i, (name, rest) in enumerate(STEPS) if name == instruction and word in rest)


def health_check():
    return json.loads(the("HEALTHCHECK").partition("CMD")[2])


def test_it_stands_on_the_official_slim_python_with_locked_wheels():
    assert re.fullmatch(r"python:3\.1[123]-slim", the("FROM"))
    assert "pip install --require-hashes --only-binary :all: -r requirements.txt" in all_of("RUN")[0]
    assert not re.search(r"apt|curl|wget|git|gcc|build-essential", " ".join(all_of("RUN")))


def test_dependencies_come_before_code_and_code_by_name():
    copied = [rest.split() for rest in all_of("COPY")]
    assert copied[0] == ["${REQUIREMENTS}", "requirements.txt"]
    assert the("ARG") == "REQUIREMENTS=requirements.txt"  # unless compose.scale.yaml asks for more
    copied[0] = ["requirements.txt", "requirements-scale.txt", "."]
    assert place("COPY", "requirements.txt") < place("RUN", "pip install") < place("COPY", "streamlit_app.py")
    names = [name for *sources, _ in copied for name in sources]
    assert not {".", "*"} & set(names)
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert ignored[0] == "*"
    kept = {line[1:] for line in ignored if line.startswith("!")}
    assert kept == {name if name != ".streamlit" else ".streamlit/config.toml" for name in names}
    assert all((ROOT / name).exists() for name in kept)
    assert not any("secret" in line for line in kept)


def test_it_runs_as_somebody_who_owns_nothing_but_the_data():
    uid = the("USER")
    assert uid.isdigit()
    assert int(uid) > 0
    last = max(i for i, (name, _) in enumerate(STEPS) if name in ("COPY", "RUN"))
    assert last < place("USER")
    assert not any("--chown" in rest or "--chmod" in rest for rest in all_of("COPY"))
    assert re.findall(r"chown (\S+ \S+)", TEXT) == [f"{uid}:0 /data"]
    assert re.findall(r"chmod (\S+ \S+)", TEXT) == ["g=u /data"]  # whoever a platform chooses is of group 0
    assert the("VOLUME") == "/data"
    assert "ENV HOME=/app " in TEXT  # whoever it runs as has one
    assert "ENV PETROL_STORE_URL=sqlite:////data/" in TEXT


def test_whoever_follows_the_readme_keeps_the_data():
    for name in ("README.md", "Makefile", "CHANGELOG.md", "compose.yaml"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert set(re.findall(r"petrol:(/\w+)", text)) == ({the("VOLUME")} if name != "CHANGELOG.md" else set()), name
        assert not re.search(r"/store\b(?!\.)", text), name


def test_it_says_what_it_is_and_where_it_listens():
    assert the("EXPOSE") == "8501"
    assert json.loads(the("CMD")) == ["python", "server.py"]
    assert "ENV PETROL_HOST=0.0.0.0 PORT=8501\n" in TEXT  # where it is not told otherwise
    labels = dict(part.partition("=")[::2] for part in shlex.split(the("LABEL")))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert labels == {
        "org.opencontainers.image.title": "Petrol what-if",
        "org.opencontainers.image.description": project["description"],
        "org.opencontainers.image.version": project["version"],
        "org.opencontainers.image.licenses": project["license"],
    }


def test_composed_it_may_do_little_and_comes_back():
    assert SERVICE["volumes"] == ["petrol:/data"]
    assert SERVICE["read_only"] is True
    assert SERVICE["tmpfs"] == ["/tmp"]  # noqa: S108 - inside the container
    assert SERVICE["cap_drop"] == ["ALL"]
    assert SERVICE["security_opt"] == ["no-new-privileges:true"]
    assert set(SERVICE["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert SERVICE["restart"] == "unless-stopped"
    assert "disable" not in SERVICE["healthcheck"]
    assert "test" not in SERVICE["healthcheck"]  # that of the image
    assert SERVICE["ports"] == ["${PETROL_BIND:-127.0.0.1}:8501:8501"]  # for this machine alone, unless told otherwise


def test_of_what_runs_on_more_than_one_machine_each_part_may_do_little():
    for name, service in SCALED["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "/tmp" in service["tmpfs"], name  # noqa: S108 - inside the container
        is_ours = service["image"] == "petrol-scale"  # whose user is above
        assert is_ours or int(service["user"].partition(":")[0]) > 0, name
        assert not is_ours or service["build"]["args"] == {"REQUIREMENTS": "requirements-scale.txt"}, name
        assert ("ports" in service) == (name == "proxy"), name
        assert name.startswith(("proxy", "app")) or service["networks"] == ["back"], name
    assert SCALED["networks"]["back"] == {"internal": True}
    assert SCALED["services"]["proxy"]["ports"] == ["${PETROL_BIND:-127.0.0.1}:8080:8080"]


def test_the_replicas_are_alike_but_for_the_ports_by_which_the_proxy_tells_them_apart():
    text, services = (ROOT / "docs" / "nginx.scale.conf").read_text(encoding="utf-8"), SCALED["services"]
    told = {f"app-{name}": port for port, name in re.findall(r'~:(\d+)\$ "petrol_replica=([ab]);', text)}
    assert set(re.findall(r"server (app-[ab]):(\d+)", text)) == set(told.items())
    assert set(told) == {name for name in services if name.startswith("app-")}
    first, second = (services[name] for name in told)
    assert {name: services[name]["environment"]["PORT"] for name in told} == told
    assert first["environment"] | {"PORT": ""} == second["environment"] | {"PORT": ""}
    for secret in ("PETROL_STORE_URL", "STREAMLIT_SERVER_COOKIE_SECRET"):
        assert re.search(r"\$\{PETROL_\w+:\?make scale writes it\}", first["environment"][secret])  # never a usual one
    assert not {"command", "healthcheck"} & (first.keys() | second.keys())  # those of the image, which hear the port


@pytest.mark.parametrize("name", ["nginx.conf", "nginx.scale.conf"])
def test_a_proxy_lets_through_what_the_app_takes(name):
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    (megabytes,) = re.findall(r"client_max_body_size (\d+)m;", text)
    assert int(megabytes) * 2**20 > MAX_BYTES
    (kilobytes,) = re.findall(r"large_client_header_buffers 4 (\d+)k;", text)
    assert COOKIES < int(kilobytes) * 1024 < HEAD


def test_streamlit_is_set_to_tell_nobody_anything():
    settings = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    wanted = {
        "server": {"maxUploadSize": 64, "enableXsrfProtection": True, "enableCORS": True, "enableAgentApi": False},
        "browser": {"gatherUsageStats": False},
        "client": {"showErrorDetails": "none", "showErrorLinks": False},
    }
    assert {part: {name: settings[part][name] for name in names} for part, names in wanted.items()} == wanted
    assert ".streamlit/secrets.toml" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


@pytest.mark.slow
def test_the_health_check_asks_for_a_prediction_and_fails_where_there_is_none(server, tmp_path, project):
    command, code = health_check()[0], health_check()[2]
    assert command == "python"

    def check(port):
        told = {"http_proxy": "http://127.0.0.1:9", "PORT": str(port)}
        return subprocess.run([sys.executable, "-c", code], env=told, capture_output=True, check=False).returncode

    assert check(free_port()) != 0
    assert check(urlsplit(server).port) == 0
    (project / "data" / "petrol" / "rows.csv").unlink()
    empty, port = f"sqlite:///{tmp_path}/empty.db", free_port()
    with running_server(log=tmp_path / "log", port=port, cwd=project, PETROL_STORE_URL=empty):
        assert check(port) != 0
