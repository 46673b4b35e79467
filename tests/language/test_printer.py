"""Canonical text: parsing it gives the tree back, comments stay, and it is its own canonical text."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prunec.language.canonical import WIDTH
from prunec.language.parser import parse, parse_policies
from prunec.language.policy_syntax import PolicyFile
from prunec.language.printer import format_file
from prunec.language.syntax import RuleFile
from prunec.support.diagnostics import PrunecError, Source

from .trees import files, policy_files

POLICIES = (
    'policy "a*", "b" { hold because "x" ratio 0.5 }\npolicy "c" { whole rows }\n'
    'interface "h*" from "o*" because "y"\n'
)


def formatted(text: str) -> str:
    return format_file(parse(Source("rules.prune", text)))


@pytest.mark.slow
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(files)
def test_parsing_the_printed_tree_gives_the_tree(file: RuleFile) -> None:
    text = format_file(file)
    again = parse(Source("printed.prune", text))
    assert repr(again.rules) == repr(file.rules)
    assert again == file
    assert format_file(again) == text


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(policy_files)
def test_parsing_printed_policies_gives_the_policies(file: PolicyFile) -> None:
    text = format_file(file)
    again = parse_policies(Source("printed.prune", text))
    assert again == file
    assert format_file(again) == text


@given(st.data())
def test_comments_anywhere_among_policies_stay(data: st.DataObject) -> None:
    """Between any two tokens: no comment is lost, and the text with all of them is its own canonical text."""
    text = ""
    count = 0
    for token in re.findall(r'"[^"]*"|[^\s"]+|\n', POLICIES):
        text += token + " "
        if data.draw(st.booleans()):
            text += f"# comment {count}\n"
            count += 1
    result = format_file(parse_policies(Source("p.prune", text)))
    assert re.findall(r"# comment \d+", result) == [f"# comment {k}" for k in range(count)]
    again = parse_policies(Source("p.prune", result))
    assert again == parse_policies(Source("p.prune", POLICIES))
    assert format_file(again) == result


def test_a_short_rule_stands_on_one_line() -> None:
    text = "op relu ,  sigmoid{\n data[*x]->out[ *x ]\n zero   out\n}"
    assert formatted(text) == "op relu, sigmoid { data[*x] -> out[*x]  zero out }\n"


def test_a_rule_with_two_statements_has_one_statement_a_line() -> None:
    text = 'op A(b) { d[c] -> o[c] zero o if d when b==1 keep c because "x" }'
    assert formatted(text) == (
        'op A(b) {\n  d[c] -> o[c]\n  zero o if d when b == 1\n  keep c because "x"\n}\n'
    )


def test_long_headers_and_signatures_are_broken() -> None:
    many = ", ".join(f"attribute_number_{i} = {i}" for i in range(9))
    slots = ", ".join(f"tensor_{i}[axis_a, (axis_b axis_c), *axis_d]" for i in range(4))
    text = (
        f'op First, Second({many}) as label specialises Third when attribute_number_1 in {{a, "b c"}} '
        f"and attribute_number_2 > 1 or not attribute_number_3 {{ {slots}; w[axis_a] -> out[axis_a] }}"
    )
    result = formatted(text)
    assert max(map(len, result.splitlines())) <= WIDTH
    assert result == (
        "op First, Second(\n"
        "  attribute_number_0 = 0, attribute_number_1 = 1, attribute_number_2 = 2, attribute_number_3 = 3,\n"
        "  attribute_number_4 = 4, attribute_number_5 = 5, attribute_number_6 = 6, attribute_number_7 = 7,\n"
        "  attribute_number_8 = 8\n"
        ") as label specialises Third\n"
        '  when attribute_number_1 in {a, "b c"} and attribute_number_2 > 1 or not attribute_number_3 {\n'
        "  tensor_0[axis_a, (axis_b axis_c), *axis_d], tensor_1[axis_a, (axis_b axis_c), *axis_d],\n"
        "    tensor_2[axis_a, (axis_b axis_c), *axis_d], tensor_3[axis_a, (axis_b axis_c), *axis_d];\n"
        "    w[axis_a]\n"
        "    -> out[axis_a]\n"
        "}\n"
    )
    assert formatted(result) == result


COMMENTED = """\
# Header of the file.

# About the first rule.
## Documentation.
#in between
op A(b) # behind the header
{
  # above the signature
  d[c], # inside the signature
   e[c] -> o[c]   # behind the signature
  b = c # behind the equation "#1"
  # above keep
  keep c because "# no comment"
  # above the brace
} # behind the rule
op B { d[c] -> o[c] } # behind a short rule
op C { d[c] -> o[c] }

# About D.

op D opaque because "of this" # behind D
# The end.
"""


def test_comments_stay() -> None:
    result = formatted(COMMENTED)
    assert result == (
        "# Header of the file.\n\n"
        "# About the first rule.\n#in between\n## Documentation.\n"
        "op A(b) {\n"
        "  # behind the header\n  # above the signature\n  # inside the signature\n"
        "  d[c], e[c] -> o[c]  # behind the signature\n"
        '  b = c  # behind the equation "#1"\n'
        '  # above keep\n  keep c because "# no comment"\n  # above the brace\n'
        "}  # behind the rule\n\n"
        "op B { d[c] -> o[c] }  # behind a short rule\n"
        "op C { d[c] -> o[c] }\n\n"
        "# About D.\n\n"
        'op D opaque because "of this"  # behind D\n'
        "# The end.\n"
    )
    assert formatted(result) == result


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "# one\n\n# two\n"])
def test_files_without_rules(text: str) -> None:
    assert formatted(text) == text.strip("\n") + ("\n" if text.strip() else "")


def test_windows_line_ends_become_plain_ones() -> None:
    result = formatted("## doc\r\n# c\r\nop A {\r\n  d[c] -> o[c]\r\n}\r\n")
    assert result == "# c\n## doc\nop A { d[c] -> o[c] }\n"


def test_policies_in_canonical_text() -> None:
    many = ", ".join(f'"stage_{number}_convolution_*"' for number in range(5))
    text = (
        f"# All.\n\n## Doc.\npolicy {many} {{align 016 whole   rows}}\n\n"
        'policy "a" { ratio 0.70 # seventy\n }# behind\n'
        'policy "b" {}policy "c" { hold because "y"}\n# The end.\n'
    )
    result = format_file(parse_policies(Source("p.prune", text)))
    assert result == (
        "# All.\n\n## Doc.\n"
        'policy "stage_0_convolution_*", "stage_1_convolution_*", "stage_2_convolution_*",\n'
        '    "stage_3_convolution_*", "stage_4_convolution_*" {\n'
        "  align 16\n  whole rows\n}\n\n"
        'policy "a" {\n  ratio 0.7  # seventy\n}  # behind\n\n'
        'policy "b" {}\npolicy "c" { hold because "y" }\n# The end.\n'
    )
    assert format_file(parse_policies(Source("p.prune", result))) == result


def test_interfaces_in_canonical_text() -> None:
    text = (
        '# All.\n## Doc.\ninterface   "l*_init_*"# behind\npolicy "a" { hold }\n'
        'interface "h*",\n "c*" from "last_h*", "last_c*" because "a caller carries them"\n'
        'interface "a_state_of_the_first_encoder_*", "a_state_of_the_second_encoder_*" from "last_one_*",'
        '"b*"\n'
    )
    result = format_file(parse_policies(Source("p.prune", text)))
    assert result == (
        '# All.\n## Doc.\ninterface "l*_init_*"  # behind\n\npolicy "a" { hold }\n'
        'interface "h*", "c*" from "last_h*", "last_c*" because "a caller carries them"\n\n'
        'interface "a_state_of_the_first_encoder_*", "a_state_of_the_second_encoder_*" from "last_one_*",\n'
        '    "b*"\n'
    )
    assert format_file(parse_policies(Source("p.prune", result))) == result


def test_a_share_that_is_no_number_is_refused() -> None:
    with pytest.raises(PrunecError, match="P105: this number is too large"):
        parse_policies(Source("p.prune", 'policy "a" { ratio 1e999 }'))
