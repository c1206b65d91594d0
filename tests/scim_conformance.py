"""Runs two testers of SCIM servers, `scim2 test` and `scim-sanity`, and compares what they find with the deviations below.

    scim_conformance.py BASE TOKEN SCIM2 SCIM_SANITY

A finding without a deviation fails, and so does a deviation that is not found any more.
"""

import json
import os
import subprocess
import sys

# The tester, its check, a text of the finding, and why the server answers as it does.
DEVIATIONS = [
    ("scim2", "check_add_attribute", "'emails'", "An account keeps one address, so its type is always work and it is primary."),
    ("scim2", "check_replace_attribute", "'emails'", "The same."),
    ("scim2", "check_remove_attribute", "'active'", "Every account has a status."),
    ("scim-sanity", "GET /Users/{id} after PUT", "displayName", "An account has one name, which is userName."),
    ("scim-sanity", "PATCH /Groups/{id}", "204", "RFC 7644, section 3.5.2, allows 204, which Microsoft Entra expects."),
    ("scim-sanity", "PATCH /Groups/{id} add member", "400", "A member must exist."),
    ("scim-sanity", "PATCH /Groups/{id} remove members", "204", "As for other patches of groups."),
]


def scim2(program, base, token):
    """Runs the checks of scim2-tester. Returns their number and the findings."""
    environment = os.environ | {"SCIM_CLI_HEADERS": f"Authorization: Bearer {token}"}
    command = [program, "--url", base, "test"]
    lines = subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout.splitlines()
    count, findings = 0, []
    for line in lines:
        status, _, check = line.partition(" ")
        if status in ("SUCCESS", "SKIPPED", "ACCEPTABLE"):
            count += 1
        elif status in ("ERROR", "CRITICAL", "DEVIATION"):
            count += 1
            findings.append([check, ""])
        elif findings and line.startswith("  "):
            findings[-1][1] += line
    return count, findings


def scim_sanity(program, base, token):
    """Runs the probe. Returns the number of its tests and the findings."""
    command = [program, "probe", base, "--token", token, "--i-accept-side-effects", "--json-output"]
    output = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    results = json.loads(output)["results"]
    failed = [result for result in results if result["status"] not in ("pass", "skip")]
    return len(results), [[result["name"], result.get("message") or json.dumps(result)] for result in failed]


def main(base, token, scim2_program, scim_sanity_program):
    testers = [("scim2", scim2, scim2_program, 50), ("scim-sanity", scim_sanity, scim_sanity_program, 25)]
    left, unknown = list(DEVIATIONS), []
    for name, run, program, least in testers:
        count, findings = run(program, base, token)
        print(f"{name}: {count} checks, {len(findings)} deviations")
        if count < least:
            unknown.append(f"{name} ran {count} checks only")
        for check, reason in findings:
            known = [it for it in left if it[:2] == (name, check) and it[2] in reason]
            if known:
                left.remove(known[0])
            else:
                unknown.append(f"{name}: {check}: {reason}")
    for problem in unknown:
        print(f"not listed: {problem}")
    for tester, check, text, _ in left:
        print(f"listed, but not found: {tester}: {check}: {text}")
    return 1 if unknown or left else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
