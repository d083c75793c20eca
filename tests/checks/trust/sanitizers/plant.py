"""Copies the source of the C interface and this check, and makes it possible to leave out each check of it by name.
Called by `run`, which names them in the environment variable PLANTED.
"""

import pathlib
import shutil
import sys

CHECKS = {
    "null": ("args.rs", "if start.is_null() {\n        return Err(ApikeeError::NullPointer)", "if start.is_null() && !crate::planted(\"null\") {\n        return Err(ApikeeError::NullPointer)"),
    "alignment": ("args.rs", "if start.is_aligned() {", 'if start.is_aligned() || crate::planted("alignment") {'),
    "length": (
        "args.rs",
        "if isize::try_from(bytes).is_err() || start.addr().checked_add(bytes).is_none() {",
        'if !crate::planted("length")\n'
        "        && (isize::try_from(bytes).is_err() || start.addr().checked_add(bytes).is_none())\n    {",
    ),
    "overlap": ("args.rs", "if others.into_iter()", 'if !crate::planted("overlap") && others.into_iter()'),
    "utf-8": (
        "args.rs",
        "    core::str::from_utf8(bytes)",
        '    if crate::planted("utf-8") {\n'
        "        // SAFETY: none: it is the fault that is planted.\n"
        "        return Ok(unsafe { core::str::from_utf8_unchecked(bytes) });\n    }\n"
        "    core::str::from_utf8(bytes)",
    ),
    "mark": ("slot.rs", "if slot.mark != P::MARK {", 'if slot.mark != P::MARK && !crate::planted("mark") {'),
    "use once": (
        "slot.rs",
        "    unsafe { wipe(place) }?;\n    Ok(value)",
        '    if !crate::planted("use once") {\n        unsafe { wipe(place) }?;\n    }\n    Ok(value)',
    ),
}


def main(root, copy):
    root, copy = pathlib.Path(root), pathlib.Path(copy)
    check = "tests/checks/trust/sanitizers"
    shutil.rmtree(copy, ignore_errors=True)
    for folder in ("bindings/c/src", check):
        shutil.copytree(root / folder, copy / folder, ignore=shutil.ignore_patterns("target"))
    manifest = copy / check / "Cargo.toml"
    # Another name, so that Cargo does not take one for the other; the kernel is where it was.
    text = manifest.read_text().replace('"apikee-sanitizers"', '"apikee-sanitizers-planted"')
    manifest.write_text(text.replace('"../../../.."', f'"{root.resolve()}"'))
    for name, (file, old, new) in CHECKS.items():
        path = copy / "bindings/c/src" / file
        text = path.read_text()
        if text.count(old) != 1:
            sys.exit(f"the check of {name} cannot be left out: {file} has changed")
        path.write_text(text.replace(old, new))
    print("\n".join(CHECKS))


if __name__ == "__main__":
    main(*sys.argv[1:])
