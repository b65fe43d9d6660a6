"""SLHA files: what is read, with its line and scale, and what is refused."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limen.errors import ReadError, UsageError
from limen.slha import Address, addresses, block_unit, parse, preset_columns, value_of, violated
from limen.slha.addresses import unequal_generations
from limen.slha.parsing import MAX_BYTES

FILE = b"""# a comment
BLOCK SPINFO  # programs
     1   SOFTSUSY 4 # name
     2   4.1.7
     3   Convergence is slow
Block MODSEL
  1  0
BLOCK MASS
\t24\t8.04E+01 # W
   1000022  -4.14813601D+01 # neutralino, signed
block hmix Q= 2.79068400E+03
  1   243.8
  2   1.39499739E+01
BLOCK AU Q=2.79E+03
  3  3   3.1D3
BLOCK ALPHA
   -7.2E-02
Block HiggsBoundsInputHiggsCouplingsBosons
    9.99998874E-01        3  25  24  24  # value first
BLOCK QNUMBERS 7000001 # other particles
  1 3
XSECTION  1.30E+04  2212 2212 2 -1000013 1000013 # pythia
  0  0  0  0  0  0    1.95315764E-12 SModelSv1.1.1
DECAY   1000023     1.2E-02
  7.5E-01    2     1000022        23
  2.5E-01    3     1000022   11  -11
DECAY   1000022     0.0"""

HMIX = "BLOCK HMIX Q= 1.0E+03\n  2  10.0\nBLOCK HMIX Q= 1.0E+16\n  2  {}\n"


def faults_of(data):
    with pytest.raises(ReadError) as caught:
        parse(data)
    return [str(fault) for fault in caught.value.faults] or [caught.value.message]


def at(data, *texts):
    return value_of(parse(data), [Address.from_text(text) for text in texts])


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("last", [b"", b"\n", b"\n\n"], ids=["no newline", "newline", "two"])
def test_values_keep_their_key_scale_and_line_whatever_ends_a_line(ending, last):
    spectrum = parse(FILE.replace(b"\n", ending) + last)
    assert spectrum.values["MASS", (1000022,)] == [(-41.4813601, None, 10)]
    assert spectrum.values["HMIX", (2,)] == [(13.9499739, 2790.684, 13)]
    assert spectrum.values["AU", (3, 3)] == [(3100.0, 2790.0, 15)]
    assert spectrum.values["ALPHA", ()] == [(-0.072, None, 17)]
    assert spectrum.program("SPINFO") == ("SOFTSUSY 4", "4.1.7")
    assert spectrum.warnings == ("Convergence is slow",)
    assert spectrum.decays[1000023].channels[1] == (0.25, (1000022, 11, -11), 26)
    assert spectrum.decays[1000022].width == 0.0


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("1.0D2", 100.0),
        ("1.0d+02", 100.0),
        ("-1e-3", -1e-3),
        ("+.5", 0.5),
        ("5.", 5.0),
        ("1.5-101", 1.5e-101),
        ("7", 7.0),
    ],
)
def test_numbers_are_read_as_fortran_and_c_write_them(word, value):
    assert at(f"BLOCK MASS\n 25 {word}\n".encode(), "MASS 25").value == value


@pytest.mark.parametrize(
    "word", ["NaN", "nan", "-inf", "Infinity", "1e999", "1_0", "0x10", "1.0E", "***", "1,5", "٣"]
)
def test_what_is_no_finite_number_is_refused_with_its_line(word):
    found = faults_of(f"BLOCK MASS\n 24 80.4\n 25 {word}\n".encode())
    assert len(found) == 1
    assert found[0].startswith("line 3: found ")
    assert "number" in found[0]


@pytest.mark.parametrize(
    "data",
    [b"BLOCK FOREIGN\n nan 3 25\n", b"DECAY 25 nan\n", b"DECAY 25 1.0\n inf 2 5 -5\n"],
    ids=["block of another program", "width", "branching ratio"],
)
def test_numbers_that_are_not_finite_are_refused_everywhere(data):
    assert "finite number" in faults_of(data)[0]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty file"),
        (b" \n\n", "empty file"),
        (b"# only comments\n", "no BLOCK"),
        (b"\x89PNG\0\0", "binary data"),
        (b"\x1f\x8b\x08abc", "binary data.*compressed"),
        (b"\n <!DOCTYPE html><html>", "HTML"),
        (b"<?xml version='1.0'?>", "HTML or XML"),
        (b"m1,m2\n1,2\n", "line 1: found 'm1,m2' outside of a block"),
        (b" 1 2.0\nBLOCK MASS\n 25 125\n", "line 1: found '1 2.0' outside of a block"),
        (b"BLOCK\n", "BLOCK without a name"),
        (b"BLOCK MASS at the weak scale\n", "found 'at the weak scale' after MASS"),
        (b"BLOCK MASS\n 25 heavy\n", "line 2: found '25 heavy' in MASS"),
        (b"BLOCK HMIX Q= high\n 1 2\n", "line 1: found 'high'"),
        (b"DECAY 25\n", "DECAY without"),
        (b"DECAY 25 1.0\n 0.5 3 5 -5\n", "line 2: found '0.5 3 5 -5' in DECAY"),
        (b"DECAY 25 1.0\nDECAY 25 2.0\n", r"DECAY 25 again \(first in line 1\)"),
        (b"#" * (MAX_BYTES + 1_000_000), "more than 10,000,000 bytes"),
        (b"\n" * 200_001 + b"BLOCK MASS\n", "lines, allowed 200,000"),
        (b"BLOCK SPINFO\n 4 Point invalid: no EWSB\n", "calls this point wrong.*no EWSB"),
        (b"BLOCK DCINFO\n 4\n", r"calls this point wrong \(DCINFO 4\)"),
    ],
)
def test_what_is_no_usable_spectrum_is_refused(data, said):
    with pytest.raises(ReadError, match=said):
        parse(data)


def test_a_key_that_stands_twice_is_refused_with_both_lines():
    found = faults_of(b"BLOCK MASS\n 25 125\n 35 500\n 25 126\n")
    assert found == ["line 4: found MASS 25 again (first in line 2), allowed once at a scale"]


def test_a_block_that_stands_twice_at_one_scale_is_refused():
    assert "again" in faults_of(HMIX.format(11).replace("E+16", "E+03").encode())[0]


def test_all_faults_are_told_together():
    found = faults_of(b"x\nBLOCK MASS\n 25 nan\n 25 one\nDECAY x\n")
    assert [fault.partition(":")[0] for fault in found] == ["line 1", "line 3", "line 4", "line 5"]


def test_a_warning_of_the_generator_refuses_nothing():
    spectrum = parse(b"BLOCK SPINFO\n 3 nan in the loop\n 3 slow\nBLOCK MASS\n 25 125\n")
    assert spectrum.warnings == ("nan in the loop", "slow")


def test_comments_may_hold_any_bytes():
    assert at(b"BLOCK MASS # \xe4\xff\n 25 125 # \xff\n", "MASS 25").value == 125.0


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_but_a_read_error(data):
    for start in (b"", b"BLOCK MASS\n"):
        try:
            spectrum = parse(start + data)
        except ReadError:
            continue
        assert all(math.isfinite(e.value) for found in spectrum.values.values() for e in found)


def test_a_value_at_several_scales_is_ambiguous_and_the_scales_are_named():
    with pytest.raises(ReadError, match=r"1000 GeV \(line 2\), 1e\+16 GeV \(line 4\)"):
        at(HMIX.format(12.0).encode(), "HMIX 2")
    assert at(HMIX.format(12.0).encode(), "HMIX 2@Q=1e16") == (12.0, 0, 1e16, 4)
    assert at(HMIX.format(10.0).encode(), "HMIX 2@Q=any").value == 10.0


def test_the_first_address_that_the_file_has_serves():
    assert at(b"BLOCK MINPAR\n 3 10\n", "HMIX 2", "EXTPAR 25", "MINPAR 3") == (10.0, 2, None, 2)
    with pytest.raises(ReadError, match=r"no MSOFT 1 or EXTPAR 1, .*another model"):
        at(FILE, "MSOFT 1", "EXTPAR 1")


def test_an_address_may_drop_the_sign_that_belongs_to_the_mixing():
    data = b"BLOCK MASS\n 1000023 -2.5E2\n"
    assert at(data, "MASS 1000023").value == -250.0
    assert at(data, "|MASS 1000023|").value == 250.0


@pytest.mark.parametrize(
    "text", ["|MSOFT 1", "", "MSOFT", "MSOFT one", "1 MSOFT", "HMIX 2@Q=0", "HMIX 2@Q=x"]
)
def test_a_text_that_is_no_address_is_refused(text):
    with pytest.raises(UsageError, match="SLHA address"):
        Address.from_text(text)


def test_an_address_survives_text_and_document():
    for text in ("MSOFT 1", "AU 3 3", "HMIX 2@Q=1000", "|MASS 1000022|"):
        address = Address.from_text(text)
        assert str(address) == text
        assert Address.from_dict(address.to_dict()) == address


def test_the_preset_has_19_parameters_with_units_that_fit_their_addresses():
    columns = preset_columns()
    assert len(columns) == 19
    for name, column in columns.items():
        assert {block_unit(a) for a in addresses(column["source"])} == {column["unit"]}, name


@pytest.mark.parametrize(("second", "wrong"), [("500.0", 0), ("500.01", 0), ("510.0", 1)])
def test_the_first_two_generations_are_compared(second, wrong):
    data = f"BLOCK MSOFT Q=1E3\n 41 500.0\n 42 {second}\n".encode()
    found = unequal_generations(parse(data))
    assert len(found) == wrong
    assert all("MSOFT 42 = 510 GeV" in fault.message for fault in found)


RATIO = {"kind": "branching_ratio", "particle": 1000005, "products": [1000023, 5], "minimum": 0.9}
SBOTTOM = b"DECAY 1000005 2.0\n 0.95 2 1000023 5\n 0.05 2 1000022 5\n"
GLUINO = {"kind": "branching_ratio", "particle": 1000021, "products": [1000006, -6]}


@pytest.mark.parametrize(
    ("entry", "data", "said"),
    [
        (RATIO, SBOTTOM, ""),
        (RATIO, SBOTTOM.replace(b"0.95", b"0.85"), "is 0.85 (line 1), allowed at least 0.9"),
        (RATIO | {"products": [4, 1000022]}, SBOTTOM, "is 0 (line 1)"),
        (RATIO, b"DECAY 25 1\n", "no DECAY of 1000005"),
        (GLUINO | {"minimum": 1.0}, b"DECAY 1000021 1\n .5 2 1000006 -6\n .5 2 -1000006 6\n", ""),
        ({"kind": "stable", "particle": 1000022}, SBOTTOM, ""),
        ({"kind": "stable", "particle": 1000005}, SBOTTOM, "has a width of 2 GeV"),
        ({"kind": "stable", "particle": 1000022}, b"BLOCK MASS\n 25 125\n", "no DECAY at all"),
        ({"kind": "width", "particle": 1000005, "maximum": 1.0}, SBOTTOM, "allowed at most 1 GeV"),
        ({"kind": "width", "particle": 1000005, "maximum": 9.0}, SBOTTOM, ""),
        ({}, SBOTTOM, ""),
    ],
)
def test_assumptions_are_checked_on_the_decays(entry, data, said):
    found = violated(parse(data), [{"text": "As in the paper."} | entry])
    assert len(found) == (said != "")
    assert all(said in one and one.startswith("topology not covered: ") for one in found)


def test_real_spectra_are_read_as_pyslha_reads_them(shared_data):
    pyslha = pytest.importorskip("pyslha", reason="GPL; compared where somebody installed it")
    folder = shared_data / "slha_atlas_pmssm" / "slha"
    compared = 0
    for path in sorted(folder.glob("*.slha")):
        theirs = pyslha.read(str(path))
        ours = parse(path.read_bytes())
        for (block, key), entries in ours.values.items():
            value = theirs.blocks[block][key[0] if len(key) == 1 else key or None]
            assert float(value) == entries[0].value, (path.name, block, key)
            compared += 1
        for number, decay in ours.decays.items():
            other = theirs.decays[number]
            assert (other.totalwidth or 0.0) == decay.width
            found = sorted((d.br, sorted(d.ids)) for d in other.decays)
            assert found == sorted((c.ratio, sorted(c.products)) for c in decay.channels)
            compared += 1
    assert compared > 67 * 150
