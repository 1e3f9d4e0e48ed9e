"""Figures are read, counted and divided as they should be; no test here asks how fast anything is."""

import asyncio
import json
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from sos.bench.usage import PROC, family_cpu_seconds, peak_rss_mib
from tests.bench.commands import Broke
from tests.bench.letters import LINK, NAME, Letter, load_letters, read_letters, write_letters
from tests.bench.ours import Fanout, read_figures
from tests.bench.pace import Pace
from tests.bench.peer_worker import compose
from tests.bench.peers import Measured
from tests.bench.scaling import HEAD, growth, size_line
from tests.bench.sinks import open_counting_sink
from tests.bench.tables import Ratio, figures, ratio, ratios

PRINTED = {
    "recipients": 100, "workers": 1, "accepted": 100, "refused": 0, "others": {}, "launch_seconds": 0.1,
    "seconds": 2.0, "per_second": 50.0, "cpu_seconds": 0.5, "postgres_cpu_seconds": 0.25, "peak_rss_mib": 80.0,
    "postgres": "18.6",
}  # fmt: skip
LONGEST_SECONDS = 20.0
NAMES = Ratio("a ÷ b", "a", "b", 2.0)


def test_the_figures_of_a_run_are_read_from_its_one_line() -> None:
    found = read_figures(json.dumps(PRINTED) + "\n")

    assert (found.per_second, found.cpu_us, found.postgres_cpu_us) == (50.0, 5000.0, 2500.0)


def test_figures_that_a_platform_does_not_count_are_unknown() -> None:
    known = {name: value for name, value in PRINTED.items() if "cpu" not in name and "rss" not in name}
    found = read_figures(json.dumps(known))

    assert (found.cpu_us, found.postgres_cpu_us, found.peak_rss_mib) == (None, None, None)


@pytest.mark.parametrize("printed", ["", "Aborted!", "{}", json.dumps(PRINTED) * 2, "[1]", '{"a": 1}\n{"a": 1}'])
def test_anything_else_is_no_figure(printed: str) -> None:
    with pytest.raises(Broke):
        read_figures(printed)


def test_a_run_in_which_a_mail_was_lost_is_no_figure() -> None:
    with pytest.raises(Broke, match="99 of 100"):
        read_figures(json.dumps(PRINTED | {"accepted": 99}))


def test_a_ratio_is_that_of_the_medians_and_says_whether_the_promise_is_kept() -> None:
    results = {"a": [Measured(90), Measured(10), Measured(100)], "b": [Measured(30), Measured(99), Measured(1)]}

    assert ratio(results, NAMES) == 3
    assert ratios(results, [NAMES])[0].endswith("at least 2: yes")
    assert ratios({**results, "a": [Measured(10)]}, [NAMES])[0].endswith("NO")


def test_a_peer_that_was_skipped_has_no_line_and_no_ratio() -> None:
    results: dict[str, list[Measured]] = {"a": [Measured(90, 12.0)], "b": []}

    assert ratios(results, [NAMES]) == []
    assert len(figures(results, {"a": 5, "b": 5})) == 2


def test_seconds_that_grow_faster_than_the_recipients_are_said() -> None:
    ten, hundred = (Fanout(size, size, 1.0, seconds, 1.0, "18") for size, seconds in ((10_000, 1.0), (100_000, 14.0)))

    assert growth([ten, hundred])[0].startswith("100,000 take 1.40 × ")
    assert growth([ten, hundred])[0].endswith("NO")


def test_every_column_of_sizes_has_its_figure() -> None:
    line = size_line(read_figures(json.dumps(PRINTED)))

    assert len(line) == len(HEAD)
    assert line.split() == ["100", "2.0", "50", "0.10", "1,000", "0.00", "80", "5,000", "2,500"]


def test_a_pace_is_known_by_its_rate_and_its_fullest_second() -> None:
    steady = Pace("SMS", 8, [number / 8 for number in range(81)])
    burst = Pace("SMS", 8, [0.0, 0.1, 0.2, 5.0, 5.9, 6.1])

    assert steady.rate == pytest.approx(8)
    assert steady.most_in_a_second == 8
    assert burst.most_in_a_second == 3
    assert steady.line().endswith("yes")
    assert burst.line().endswith("NO")


@pytest.mark.skipif(not PROC.is_dir(), reason="this platform has no /proc")
async def test_what_a_child_uses_counts_for_its_family_while_it_runs_and_when_it_has_ended() -> None:
    busy = "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done; read line"
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", f"sh -c '{busy}'; echo ended; read line", stdin=PIPE, stdout=PIPE
    )
    assert process.stdin
    assert process.stdout
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            while not (while_it_runs := family_cpu_seconds([process.pid]) or 0) > 0.02:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            process.stdin.write(b"\n")
            await process.stdout.readline()

        assert (family_cpu_seconds([process.pid]) or 0) >= while_it_runs
        assert (peak_rss_mib([process.pid, 2**30]) or 0) > 0
    finally:
        process.stdin.close()  # both shells read its end
        await process.wait()


async def test_the_counting_sink_reads_mails_that_come_in_pieces_and_pipelined() -> None:
    bodies = [b"Subject: one\r\n\r\nhello\r\n", b"Subject: two\r\n\r\n..a dot\r\n", b""]
    said = b"EHLO me\r\n" + b"".join(
        b"MAIL FROM:<a@example.org>\r\nRCPT TO:<c%d@example.org>\r\nDATA\r\n%b.\r\n" % (number, body)
        for number, body in enumerate(bodies)
    )
    async with open_counting_sink() as (sink, address):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
        for at in range(0, len(said), 7):
            writer.write(said[at : at + 7])
            await writer.drain()
            await asyncio.sleep(0)
        writer.write(b"QUIT\r\n")
        answers = [await reader.readline()]
        while not answers[-1].startswith(b"221"):
            answers.append(await reader.readline())
        writer.close()

    assert [content for _, content in sink.kept] == [bodies[0], b"Subject: two\r\n\r\n.a dot\r\n", b""]
    assert [to for to, _ in sink.kept] == ["c0@example.org", "c1@example.org", "c2@example.org"]
    assert sum(answer.startswith(b"354") for answer in answers) == 3


def test_the_peers_build_the_words_that_we_send_with_a_name_and_a_link_of_their_own(tmp_path: Path) -> None:
    letter = Letter("Stop", f"Dear \u2068{NAME}\u2069,\n\n{LINK}\n", f"<p>\u2068{NAME}\u2069 <a href='{LINK}'>\n")
    mails = [compose(letter, number) for number in (7, 8)]

    write_letters(read_letters(mail.as_bytes() for mail in mails), tmp_path / "letters.json")

    assert [mail["To"] for mail in mails] == ["c7@bench.example.org", "c8@bench.example.org"]
    assert load_letters(tmp_path / "letters.json") == [letter]
