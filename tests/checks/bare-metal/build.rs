//! Chooses the memory map of the target's board, and turns the vectors into Rust.

#[path = "build/vectors.rs"]
mod vectors;

use std::{env, error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let target = env::var("TARGET")?;
    let map = match target.as_str() {
        "thumbv6m-none-eabi" | "thumbv7em-none-eabi" => "mps2.x",
        "thumbv8m.main-none-eabi" => "mps2-an505.x",
        "riscv32imac-unknown-none-elf" => "virt.x",
        other => return Err(format!("no board for {other}: see `run`").into()),
    };
    let link = here.join("link");
    println!("cargo::rustc-link-arg=-L{}", link.display());
    println!("cargo::rustc-link-arg=-T{map}");
    println!("cargo::rerun-if-changed=link");
    println!("cargo::rerun-if-changed=build");

    // `run` names another folder to show that a wrong vector is found.
    println!("cargo::rerun-if-env-changed=APIKEE_VECTORS");
    let folder = env::var_os("APIKEE_VECTORS").map_or_else(|| here.join("../../vectors"), PathBuf::from);
    println!("cargo::rerun-if-changed={}", folder.display());
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("vectors.rs"), vectors::to_rust(&folder)?)?;
    Ok(())
}
