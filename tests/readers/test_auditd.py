"""The Linux audit log: events of several lines, encoded values, login and effective user."""

from __future__ import annotations

from mutations import survives_damage
from reading import check_golden, claimants, read

from toolkit.ingest.reader import readers


def test_the_golden_file_reads_as_expected() -> None:
    check_golden("auditd")


def test_only_this_reader_claims_its_sample() -> None:
    assert claimants(readers()["auditd"].sample) == ["auditd"]


def test_damaged_files_are_accounted_for_or_refused() -> None:
    survives_damage("auditd")


STAMP = "msg=audit(1646816405.123:1):"


def test_enriched_names_win_over_numbers() -> None:
    found = read("auditd", readers()["auditd"].sample)
    first, service = found.rows["maintenance_event"]
    assert (first["actor"], first["effective_actor"]) == ("op-x", "root")
    assert (first["action"], first["flags"]) == ("stor-ctl", "--force")
    assert first["message"] == "stor-ctl detach 'meta 2' --force"
    assert "actor" not in service


def test_events_of_two_nodes_with_the_same_serial_stay_apart() -> None:
    lines = "".join(f"node={node} type=SYSCALL {STAMP} syscall=59 success=yes\n" for node in "ab")
    assert [row["host"] for row in read("auditd", lines).rows["maintenance_event"]] == ["a", "b"]


def test_lines_of_one_event_may_lie_apart() -> None:
    other = "type=SYSCALL msg=audit(1646816405.124:2): syscall=59\n"
    text = f'type=SYSCALL {STAMP} auid=5\n{other}type=EXECVE {STAMP} argc=1 a0="ls"\n'
    first, _ = read("auditd", text).rows["maintenance_event"]
    assert (first["action"], first["actor"]) == ("ls", "5")


def test_an_argument_in_pieces_is_joined() -> None:
    text = f'type=EXECVE {STAMP} argc=2 a0="rm" a1_len=4 a1[0]="ab" a1[1]="cd"\n'
    assert read("auditd", text).only("maintenance_event")["message"] == "rm abcd"


def test_bytes_that_are_no_text_stay_visible() -> None:
    text = f'type=EXECVE {STAMP} argc=2 a0="rm" a1=FF00\n'
    assert "\\xff\\x00" in read("auditd", text).only("maintenance_event")["message"]
