//! Finds krait, or makes it.
//!
//! 1. An installed one that `pkg-config krait` knows, of this crate's ABI, unless the feature `bundled` is on, or the
//!    environment has KRAIT_SYS_BUNDLED=1, or the target is another machine (PKG_CONFIG_ALLOW_CROSS=1 asks all the same).
//! 2. The C source in one file: amalgamation/ of this crate, as it is published; or, in krait's own repository, what
//!    `make amalgamation` writes.  CC, CFLAGS and AR are honoured, and before them CC_<target> and so on.
//!
//! Crates that link krait are told where krait.h is: DEP_KRAIT_INCLUDE.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

/// What the declarations of this crate were written to.
const CONSTANTS: &str = include_str!("src/constants.rs");

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let include = match installed() {
        Some(include) => include,
        None => bundled(),
    };
    println!("cargo:include={}", include.display());
    println!("cargo:rustc-env=KRAIT_SYS_INCLUDE={}", include.display());
}

/// A variable, and cargo looks again when it changes.
fn variable(name: &str) -> Option<String> {
    println!("cargo:rerun-if-env-changed={name}");
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn is_on(name: &str) -> bool {
    variable(name).is_some_and(|value| value != "0")
}

/// CC_x86_64-unknown-linux-gnu, CC_x86_64_unknown_linux_gnu, TARGET_CC when cross compiling, CC.
fn tool(name: &str) -> Option<String> {
    let target = cargo("TARGET");
    let own = variable(&format!("{name}_{target}"))
        .or_else(|| variable(&format!("{name}_{}", target.replace('-', "_"))));
    let own = if is_cross() { own.or_else(|| variable(&format!("TARGET_{name}"))) } else { own };
    own.or_else(|| variable(name))
}

fn cargo(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"))
}

fn is_cross() -> bool {
    cargo("TARGET") != cargo("HOST")
}

// ---- installed ----

fn pkg_config(arguments: &[&str]) -> Option<String> {
    let program = variable("PKG_CONFIG").unwrap_or_else(|| "pkg-config".into());
    let output = Command::new(program).args(arguments).output().ok()?;
    if !output.status.success() {
        return None;
    }
    Some(String::from_utf8_lossy(&output.stdout).trim().to_string())
}

/// Prints what links it and returns the folder of krait.h.
fn installed() -> Option<PathBuf> {
    let forced = is_on("KRAIT_SYS_BUNDLED") || env::var_os("CARGO_FEATURE_BUNDLED").is_some();
    let elsewhere = is_cross() && !is_on("PKG_CONFIG_ALLOW_CROSS");
    for name in ["PKG_CONFIG_PATH", "PKG_CONFIG_LIBDIR", "PKG_CONFIG_SYSROOT_DIR"] {
        variable(name);
    }
    if forced || elsewhere {
        return None;
    }
    let flags =
        pkg_config(&["--cflags", "--libs", &format!("krait >= {}", cargo("CARGO_PKG_VERSION"))])?;
    let include = flags
        .split_whitespace()
        .filter_map(|flag| flag.strip_prefix("-I"))
        .map(PathBuf::from)
        .chain([PathBuf::from("/usr/include")])
        .find(|folder| folder.join("krait.h").exists())?;
    let header = fs::read_to_string(include.join("krait.h")).ok()?;
    let theirs = number_behind(&header, "#define KRAIT_ABI ");
    let ours = number_behind(CONSTANTS, "pub const KRAIT_ABI: i32 = ");
    if theirs != ours {
        println!("cargo:warning=the installed krait has another ABI ({theirs:?}): its source is compiled instead");
        return None;
    }
    for flag in flags.split_whitespace() {
        if let Some(folder) = flag.strip_prefix("-L") {
            println!("cargo:rustc-link-search=native={folder}");
        } else if let Some(library) = flag.strip_prefix("-l") {
            println!("cargo:rustc-link-lib={library}");
        }
    }
    println!("cargo:rerun-if-changed={}", include.join("krait.h").display());
    Some(include)
}

fn number_behind(text: &str, begin: &str) -> Option<u32> {
    let rest = text.lines().find_map(|line| line.strip_prefix(begin))?;
    rest.trim_start().split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

// ---- bundled ----

/// Compiles the source and returns the folder of krait.h.
fn bundled() -> PathBuf {
    let folder = source();
    let out = PathBuf::from(cargo("OUT_DIR"));
    let (object, library) = (out.join("krait.o"), out.join("libkrait.a"));
    let mut compiler = compiler();
    compiler.arg("-I").arg(&folder).arg("-c").arg(folder.join("krait.c")).arg("-o").arg(&object);
    run(&mut compiler);
    let _ = fs::remove_file(&library);
    let mut archiver = words(&tool("AR").unwrap_or_else(|| default_tool("ar")));
    run(archiver.arg("crs").arg(&library).arg(&object));
    println!("cargo:rustc-link-search=native={}", out.display());
    println!("cargo:rustc-link-lib=static=krait");
    if cargo("CARGO_CFG_TARGET_FAMILY").contains("unix") {
        println!("cargo:rustc-link-lib=m");
    }
    folder
}

/// The folder with krait.c and krait.h.
fn source() -> PathBuf {
    let own = PathBuf::from(cargo("CARGO_MANIFEST_DIR"));
    let shipped = own.join("amalgamation");
    if shipped.join("krait.c").exists() {
        println!("cargo:rerun-if-changed={}", shipped.display());
        return shipped;
    }
    let top = own.join("../../..");
    assert!(
        top.join("src/krait.c").exists(),
        "krait is not installed (pkg-config krait), and this crate came without amalgamation/krait.c"
    );
    for part in ["src", "include", "Makefile"] {
        println!("cargo:rerun-if-changed={}", top.join(part).display());
    }
    let out = PathBuf::from(cargo("OUT_DIR"));
    let make = variable("MAKE").unwrap_or_else(|| "make".into());
    let mut command = words(&make);
    // A make of one's own: what cargo was started by has other targets and a job server.
    command.env_remove("MAKEFLAGS").env_remove("MAKELEVEL").env_remove("CARGO_MAKEFLAGS");
    run(command.arg("-C").arg(&top).arg("amalgamation").arg(format!("O={}", out.display())));
    out.join(".build/amalgamation")
}

/// The C compiler with all flags but the files.
fn compiler() -> Command {
    let target = cargo("TARGET");
    assert!(
        !target.ends_with("-msvc"),
        "krait is compiled by gcc or clang: use a target that ends with -gnu"
    );
    let mut command = words(&tool("CC").unwrap_or_else(|| default_tool("cc")));
    // A debug build is about the program; at -O0 a step would take ten times as long.  CFLAGS come last and win.
    let level = match cargo("OPT_LEVEL").as_str() {
        "0" | "1" => "2".to_string(),
        "z" => "s".to_string(),
        level => level.to_string(),
    };
    command.arg(format!("-O{level}"));
    if cargo("DEBUG") != "false" {
        command.arg("-g");
    }
    command.args(["-std=c11", "-fPIC", "-fvisibility=hidden", "-ffp-contract=off", "-w"]);
    match cargo("CARGO_CFG_TARGET_ARCH").as_str() {
        "x86" => command.args(["-m32", "-msse2", "-mfpmath=sse"]),
        "s390x" => command.arg("-fexcess-precision=fast"),
        _ => &mut command,
    };
    command.args(tool("CFLAGS").unwrap_or_default().split_whitespace());
    command
}

/// cc and ar here, gcc and ar of the target's GNU triple when cross compiling.
fn default_tool(name: &str) -> String {
    let target = cargo("TARGET");
    let mut parts = target.split('-');
    let machine = parts.next().unwrap_or_default();
    let system = cargo("CARGO_CFG_TARGET_OS");
    if !is_cross() || cargo("HOST").starts_with(machine) && cargo("HOST").contains(&system) {
        return name.to_string();
    }
    let name = if name == "cc" { "gcc" } else { name };
    if system == "windows" {
        return format!("{machine}-w64-mingw32-{name}");
    }
    format!("{machine}-{system}-{}-{name}", parts.next_back().unwrap_or("gnu"))
}

/// A program with the words behind it as its first arguments: CC="ccache gcc".
fn words(text: &str) -> Command {
    let mut words = text.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words);
    command
}

fn run(command: &mut Command) {
    let line: Vec<OsString> =
        [command.get_program()].into_iter().chain(command.get_args()).map(OsString::from).collect();
    let shown = line.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    let output: Output = match command.output() {
        Ok(output) => output,
        Err(error) => panic!("{shown}: {error}"),
    };
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        panic!("{shown}: {}\n{}", output.status, String::from_utf8_lossy(&said));
    }
}
