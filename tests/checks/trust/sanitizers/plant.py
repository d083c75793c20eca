"""Copies the source of the C interface and of this check. In the copy, the environment variable PLANTED names a check of
the interface to leave out. `run` calls this.
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
    "count": (
        "args.rs",
        "len.checked_mul(size_of::<T>()).ok_or(ApikeeError::InvalidLength)?",
        'if crate::planted("count") { len.wrapping_mul(size_of::<T>()) } else { len.checked_mul(size_of::<T>()).ok_or(ApikeeError::InvalidLength)? }',
    ),
    "overlap": ("args.rs", "if others.into_iter()", 'if !crate::planted("overlap") && others.into_iter()'),
    "utf-8": (
        "args.rs",
        "    core::str::from_utf8(bytes)",
        '    if crate::planted("utf-8") {\n'
        "        // SAFETY: none. This is the planted fault.\n"
        "        return Ok(unsafe { core::str::from_utf8_unchecked(bytes) });\n    }\n"
        "    core::str::from_utf8(bytes)",
    ),
    "wipe": ("slot.rs", "    if !place.is_null() {", '    if !place.is_null() || crate::planted("wipe") {'),
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
    # The copy needs another name, so that Cargo does not confuse the two. The path of the kernel stays the same.
    text = manifest.read_text().replace('"apikee-sanitizers"', '"apikee-sanitizers-planted"')
    manifest.write_text(text.replace('"../../../.."', f'"{root.resolve()}"'))
    for name, (file, old, new) in CHECKS.items():
        path = copy / "bindings/c/src" / file
        text = path.read_text()
        if text.count(old) != 1:
            sys.exit(f"the check {name} cannot be removed: {file} has changed")
        path.write_text(text.replace(old, new))
    print("\n".join(CHECKS))


if __name__ == "__main__":
    main(*sys.argv[1:])
