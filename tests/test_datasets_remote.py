"""Downloads against a server on this machine that cuts the line, sends wrong bytes, or refuses."""

import gzip
import hashlib
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from course_datasets import load, parallel
from course_datasets.remote import DownloadError, cache_dir, fetch, sha256

SHARED = Path(os.environ.get("ATTN_TEST_DATA") or Path(__file__).parent.parent.parent / "shared" / "data")
CONTENT = bytes(range(256)) * 3000
CHECKSUM = hashlib.sha256(CONTENT).hexdigest()


class Server:
    """Files by path, and what goes wrong with each request of a path, in order."""

    def __init__(self):
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list] = {}
        self.requests: list[tuple[str, str | None]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                outer.answer(self)

        self.httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.httpd.server_address[1]}"
        threading.Thread(target=self.httpd.serve_forever, args=(0.02,), daemon=True).start()

    def answer(self, handler):
        wanted = handler.headers.get("Range")
        self.requests.append((handler.path, wanted))
        faults = self.faults.get(handler.path, [])
        fault = faults.pop(0) if faults else None
        if isinstance(fault, int) and fault >= 400:
            return handler.send_error(fault)
        if handler.path not in self.files:
            return handler.send_error(404)
        body = self.files[handler.path]
        if fault == "wrong":
            body = b"x" + body[1:]
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and fault != "no range" else 0
        if start >= len(body):
            return handler.send_error(416)
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Length", str(len(body) - start))
        handler.end_headers()
        body = body[start:]
        if fault == "cut":
            body = body[: len(body) // 2]
        handler.wfile.write(body)
        return None


@pytest.fixture
def server():
    server = Server()
    server.files["/file"] = CONTENT
    yield server
    server.httpd.shutdown()
    server.httpd.server_close()


def get(server, path, checksum=CHECKSUM, name="/file", **options):
    return fetch(server.url + name, path, checksum, progress=False, wait=0.0, timeout=5, **options)


def test_fetch(server, tmp_path):
    path = get(server, tmp_path / "new" / "file")
    assert path.read_bytes() == CONTENT
    assert sha256(path) == CHECKSUM
    assert get(server, path) == path
    assert len(server.requests) == 1, "a right file is not fetched again"
    assert list(path.parent.iterdir()) == [path]


def test_progress_bar(server, tmp_path, capsys):
    fetch(server.url + "/file", tmp_path / "file", CHECKSUM, timeout=5)
    assert "100%" in capsys.readouterr().err


def test_a_cut_line_is_taken_up_where_it_ended(server, tmp_path):
    server.faults["/file"] = ["cut", "cut"]
    path = get(server, tmp_path / "file")
    assert path.read_bytes() == CONTENT
    half = len(CONTENT) // 2
    assert [wanted for _, wanted in server.requests] == [None, f"bytes={half}-", f"bytes={half + half // 2}-"]


def test_a_part_is_taken_up_in_the_next_run(server, tmp_path):
    server.faults["/file"] = ["cut"]
    path = tmp_path / "file"
    with pytest.raises(DownloadError, match="next try"):
        get(server, path, attempts=1)
    assert not path.exists()
    assert path.with_name("file.part").stat().st_size == len(CONTENT) // 2
    assert get(server, path).read_bytes() == CONTENT
    assert server.requests[-1][1] == f"bytes={len(CONTENT) // 2}-"


def test_a_part_that_was_complete(server, tmp_path):
    (tmp_path / "file.part").write_bytes(CONTENT)
    assert get(server, tmp_path / "file").read_bytes() == CONTENT


def test_a_part_of_another_file_is_thrown_away(server, tmp_path):
    (tmp_path / "file.part").write_bytes(b"something else")
    assert get(server, tmp_path / "file").read_bytes() == CONTENT


def test_a_server_without_ranges(server, tmp_path):
    server.faults["/file"] = ["cut", "no range"]
    assert get(server, tmp_path / "file").read_bytes() == CONTENT


def test_wrong_bytes_once(server, tmp_path):
    server.faults["/file"] = ["wrong"]
    assert get(server, tmp_path / "file").read_bytes() == CONTENT


def test_wrong_bytes_always(server, tmp_path):
    with pytest.raises(DownloadError, match="SHA-256"):
        get(server, tmp_path / "file", checksum="0" * 64)
    assert list(tmp_path.iterdir()) == [], "nothing wrong is kept"


def test_a_wrong_file_in_the_cache_is_replaced(server, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"rotten")
    assert get(server, path).read_bytes() == CONTENT


def test_not_there(server, tmp_path):
    with pytest.raises(DownloadError, match=r"404.*--data DIR"):
        get(server, tmp_path / "file", name="/elsewhere")
    assert len(server.requests) == 1, "no use asking again"


def test_a_server_in_trouble(server, tmp_path):
    server.faults["/file"] = [503, 500]
    assert get(server, tmp_path / "file").read_bytes() == CONTENT
    server.faults["/file"] = [503] * 9
    with pytest.raises(DownloadError, match="503"):
        get(server, tmp_path / "other")


def test_offline(server, tmp_path):
    server.httpd.shutdown()
    server.httpd.server_close()
    with pytest.raises(DownloadError, match="Without a network, copy the file") as caught:
        get(server, tmp_path / "file", attempts=2)
    assert str(tmp_path / "file") in str(caught.value)


# ---------------------------------------------------------------- Multi30k and Tatoeba


@pytest.fixture
def small_multi30k(server, tmp_path, monkeypatch):
    """Three tiny parts in two languages on the server, with their checksums in the table."""
    table = {}
    for stem, lines in (("train", 4), ("val", 2), ("test_2016_flickr", 1)):
        for language in ("en", "fr"):
            text = "".join(f"{language} {stem} {n}\n" for n in range(lines))
            data = gzip.compress(text.encode(), mtime=0)
            server.files[f"/{stem}.{language}.gz"] = data
            table[f"{stem}.{language}.gz"] = hashlib.sha256(data).hexdigest()
    monkeypatch.setattr(parallel, "MULTI30K_SHA256", table)
    monkeypatch.setenv("ATTN_DATA", str(tmp_path / "cache"))
    return server


def test_multi30k_download(small_multi30k, monkeypatch, tmp_path):
    monkeypatch.setenv("ATTN_MULTI30K_URL", small_multi30k.url + "/")
    data = load("multi30k", "en", "fr", progress=False)
    assert data.train[3] == ("en train 3", "fr train 3")
    assert [len(data.train), len(data.valid), len(data.test)] == [4, 2, 1]
    assert (data.source_language, data.target_language) == ("en", "fr")
    count = len(small_multi30k.requests)
    assert count == 6
    again = load("multi30k", "fr", "en", progress=False)
    assert again.train[0] == ("fr train 0", "en train 0")
    assert len(small_multi30k.requests) == count, "the second time, all is in the cache"
    cached = load("multi30k", download=False)
    assert cached.test == data.test
    assert load("multi30k", data_dir=tmp_path / "cache").test == data.test
    assert cache_dir() == tmp_path / "cache"


def test_multi30k_data_dir(small_multi30k, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    for name, data in small_multi30k.files.items():
        if name != "/file":
            (folder / name[1:]).write_bytes(data)
    assert len(load("multi30k", data_dir=folder).train) == 4
    assert small_multi30k.requests == []
    (folder / "val.fr.gz").write_bytes(b"rotten")
    with pytest.raises(DownloadError, match=r"val\.fr\.gz"):
        load("multi30k", data_dir=folder)
    (folder / "val.fr.gz").unlink()
    with pytest.raises(FileNotFoundError, match=r"val\.fr\.gz"):
        load("multi30k", data_dir=folder)


def test_multi30k_refuses(tmp_path, monkeypatch):
    monkeypatch.setenv("ATTN_DATA", str(tmp_path))
    with pytest.raises(ValueError, match="'it'"):
        load("multi30k", "en", "it")
    with pytest.raises(ValueError, match="two languages"):
        load("multi30k", "en", "en")
    with pytest.raises(FileNotFoundError, match="not a directory"):
        load("multi30k", data_dir=tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="must hold"):
        load("multi30k", download=False)


def test_the_command_line_downloads(small_multi30k, capsys):
    from course_datasets.__main__ import main

    assert main(["download", "multi30k", "en", "--url", small_multi30k.url]) == 0
    assert Path(capsys.readouterr().out.strip()).joinpath("train.en.gz").is_file()
    assert main(["download", "multi30k", "en", "--url", small_multi30k.url + "/gone"]) == 0
    assert main(["download", "multi30k", "fr", "--url", small_multi30k.url + "/gone"]) == 1
    assert "404" in capsys.readouterr().err


TATOEBA = "\ufeffGo.\tVa !\tCC-BY (a)\nGo.\tMarche.\tCC-BY (b)\nGo.\tVa !\tCC-BY (c)\n\n" + "".join(
    f"I see {n}.\tJe vois {n}.\tCC-BY\n" for n in range(40)
)


def test_tatoeba(tmp_path):
    path = tmp_path / "fra.txt"
    path.write_text(TATOEBA, encoding="utf-8")
    data = load("tatoeba", path, seed=1)
    assert [len(data.train) + len(data.valid) + len(data.test), len(data.valid), len(data.test)] in (
        [42, 2, 2],
        [42, 3, 2],
        [42, 2, 3],
    )
    homes = [part for part in ("train", "valid", "test") if any(s == "Go." for s, _ in data.part(part))]
    assert len(homes) == 1, "translations of one sentence stay together"
    assert ("Go.", "Marche.") in data.part(homes[0])
    assert data.checksum() == load("tatoeba", tmp_path, seed=1).checksum()
    assert data.checksum() != load("tatoeba", path, seed=2).checksum()


def test_tatoeba_refuses(tmp_path):
    path = tmp_path / "bad.tsv"
    path.write_text("one\ttwo\nno tab here\n", encoding="utf-8")
    with pytest.raises(ValueError, match="line 2"):
        load("tatoeba", path)
    with pytest.raises(FileNotFoundError):
        load("tatoeba", tmp_path / "nothing.tsv")
    path.write_text("", encoding="utf-8")
    with pytest.raises(ValueError, match="no pairs"):
        load("tatoeba", path)
    with pytest.raises(ValueError, match="share"):
        load("tatoeba", path, valid_share=0.5, test_share=0.5)


@pytest.mark.skipif(not (SHARED / "multi30k").is_dir(), reason="no copy of Multi30k here (ATTN_TEST_DATA)")
def test_the_real_multi30k():
    data = load("multi30k", "en", "de", data_dir=SHARED)
    assert [len(data.train), len(data.valid), len(data.test)] == [29_000, 1014, 1000]
    assert data.train[0][0] == "Two young, White males are outside near many bushes."


@pytest.mark.skipif(not list(SHARED.glob("tatoeba*.tsv")), reason="no file of Tatoeba pairs (ATTN_TEST_DATA)")
def test_real_tatoeba():
    data = load("tatoeba", SHARED)
    assert 4900 < len(data.train) + len(data.valid) + len(data.test) <= 5000
    train = {source for source, _ in data.train}
    assert not train & {source for source, _ in data.test}
