//! Holds the declarations to krait.h: what a C compiler prints of every struct, field and constant, and the text of
//! every function.  When the header grows, the failing test shows the lines that are missing here.

use krait_sys::*;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;

const INCLUDE: &str = env!("KRAIT_SYS_INCLUDE");

// ---- the header ----

/// krait.h without comments and lines of the preprocessor, every run of white space one space.
fn header() -> String {
    let text = std::fs::read_to_string(PathBuf::from(INCLUDE).join("krait.h")).unwrap();
    let mut plain = String::new();
    let mut rest = text.as_str();
    while let Some(begin) = rest.find("/*") {
        plain += &rest[..begin];
        rest = &rest[begin + rest[begin..].find("*/").unwrap() + 2..];
    }
    plain += rest;
    let lines: Vec<&str> = plain.lines().filter(|line| !line.starts_with('#')).collect();
    lines.join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What stands between `open` and `close`, for every `open`.
fn between(text: &str, open: &str, close: &str) -> Vec<String> {
    let parts = text.split(open).skip(1);
    parts.filter_map(|part| part.split(close).next()).map(|part| part.trim().to_string()).collect()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The name that a declaration ends with: `const char *name`, `uint64_t shape[4]`.
fn last_name(declaration: &str) -> &str {
    let end = declaration.split('[').next().unwrap().trim();
    &end[end.rfind(|c| !is_word(c)).map_or(0, |at| at + 1)..]
}

/// Structs with the names of their fields.
fn structs(header: &str) -> Vec<(String, Vec<String>)> {
    let bodies = between(header, "typedef struct ", "} krait_");
    let with_body = bodies.iter().filter_map(|body| body.split_once(" { "));
    with_body
        .filter(|(name, _)| !name.contains(';'))
        .map(|(name, fields)| {
            let fields = fields.split(';').map(str::trim).filter(|field| !field.is_empty());
            let names = fields.map(|field| match field.split_once("(*") {
                Some((_, function)) => function.split(')').next().unwrap().to_string(),
                None => last_name(field).to_string(),
            });
            (name.to_string(), names.collect())
        })
        .collect()
}

fn constants(header: &str) -> Vec<String> {
    let mut names = Vec::new();
    for body in between(header, "enum { ", "}") {
        names.extend(
            body.split(',').map(|entry| entry.split('=').next().unwrap().trim().to_string()),
        );
    }
    names.retain(|name| !name.is_empty());
    let text = std::fs::read_to_string(PathBuf::from(INCLUDE).join("krait.h")).unwrap();
    for line in text.lines().filter(|line| line.starts_with("#define KRAIT_")) {
        let mut words = line.split_whitespace().skip(1);
        let (name, value) = (words.next().unwrap(), words.next().unwrap_or(""));
        if value.parse::<i64>().is_ok() {
            names.push(name.to_string());
        }
    }
    names
}

// ---- the table, as C prints it ----

fn c_program(header: &str) -> String {
    let mut text = String::from(
        "#include <stddef.h>\n#include <stdio.h>\n#include \"krait.h\"\n\
         #define ALIGN(t) offsetof(struct { char c; t x; }, x)\nint main(void)\n{\n",
    );
    for (name, fields) in structs(header) {
        let _ = writeln!(text, "printf(\"{name} %zu %zu\\n\", sizeof({name}), ALIGN({name}));");
        for field in fields {
            let _ = writeln!(
                text,
                "printf(\"{name}.{field} %zu %zu\\n\", offsetof({name}, {field}), sizeof((({name} *)0)->{field}));"
            );
        }
    }
    for name in constants(header) {
        let _ = writeln!(text, "printf(\"{name} %lld\\n\", (long long){name});");
    }
    text + "return 0;\n}\n"
}

fn c_table(header: &str) -> Vec<String> {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let (source, program) = (folder.join("table.c"), folder.join("table"));
    std::fs::write(&source, c_program(header)).unwrap();
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let mut words = compiler.split_whitespace();
    let status = Command::new(words.next().unwrap())
        .args(words)
        .args(["-std=c11", "-I", INCLUDE, "-o"])
        .args([&program, &source])
        .status();
    assert!(status.expect("a C compiler").success());
    let output = Command::new(&program).output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_string).collect()
}

// ---- the table, as Rust has it ----

fn rust_table() -> Vec<String> {
    let mut table = Vec::new();
    for (name, size, align, fields) in LAYOUT {
        table.push(format!("{name} {size} {align}"));
        for (field, offset, size) in *fields {
            table.push(format!("{name}.{} {offset} {size}", field.trim_start_matches("r#")));
        }
    }
    for line in include_str!("../src/constants.rs").lines() {
        if let Some(constant) = line.strip_prefix("pub const ") {
            let (name, value) = constant.split_once(" = ").unwrap();
            let name = name.split(':').next().unwrap();
            table.push(format!("{name} {}", value.trim_end_matches(';')));
        }
    }
    table
}

#[test]
fn structs_and_constants_are_those_of_c() {
    let header = header();
    let (mut c, mut rust) = (c_table(&header), rust_table());
    c.sort();
    rust.sort();
    let missing: Vec<&String> = c.iter().filter(|line| !rust.contains(line)).collect();
    let extra: Vec<&String> = rust.iter().filter(|line| !c.contains(line)).collect();
    assert!(missing.is_empty() && extra.is_empty(), "C has {missing:#?}\nRust has {extra:#?}");
    assert!(c.len() > 150, "the header was not understood: {} lines", c.len());
}

// ---- functions ----

fn rust_type(c: &str) -> String {
    let stars = c.matches('*').count();
    let is_const = c.split(|letter| !is_word(letter)).any(|word| word == "const");
    let base = c
        .split(|letter| !is_word(letter))
        .find(|word| !word.is_empty() && *word != "const")
        .unwrap();
    let mut made = match base {
        "void" => "c_void",
        "char" => "c_char",
        "float" => "f32",
        "int32_t" => "i32",
        "uint32_t" => "u32",
        "int64_t" => "i64",
        "uint64_t" => "u64",
        "uint8_t" => "u8",
        "size_t" => "usize",
        other => other,
    }
    .to_string();
    for star in 0..stars {
        made = format!("*{} {made}", if star == 0 && is_const { "const" } else { "mut" });
    }
    made
}

/// `pub fn name(a: type, ...) -> type;` of a prototype of the header.
fn rust_function(prototype: &str) -> String {
    let (head, arguments) = prototype.split_once('(').unwrap();
    let arguments = arguments.trim_end_matches(')');
    let name = last_name(head);
    let arguments = arguments.split(',').map(str::trim).filter(|argument| *argument != "void");
    let arguments: Vec<String> = arguments
        .map(|argument| {
            let name = last_name(argument);
            format!("{name}: {}", rust_type(&argument[..argument.len() - name.len()]))
        })
        .collect();
    let result = match rust_type(&head[..head.len() - name.len()]).as_str() {
        "c_void" => String::new(),
        other => format!(" -> {other}"),
    };
    format!("pub fn {name}({}){result};", arguments.join(", "))
}

#[test]
fn functions_are_those_of_the_header() {
    let header = header();
    let wanted: Vec<String> =
        between(&header, "KRAIT_API ", ";").iter().map(|p| rust_function(p)).collect();
    let text = include_str!("../src/functions.rs");
    let body = text.split_once("extern \"C\" {").unwrap().1.trim_end().trim_end_matches('}');
    let here: Vec<String> = body
        .split(';')
        .map(|function| function.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|function| !function.is_empty())
        .map(|function| function.replace("( ", "(").replace(", )", ")").replace(",)", ")") + ";")
        .collect();
    let missing: Vec<&String> = wanted.iter().filter(|line| !here.contains(line)).collect();
    let extra: Vec<&String> = here.iter().filter(|line| !wanted.contains(line)).collect();
    assert!(
        missing.is_empty() && extra.is_empty(),
        "the header has {missing:#?}\nRust has {extra:#?}"
    );
    assert!(wanted.len() >= 45, "the header was not understood: {} functions", wanted.len());
}

// ---- the library that was linked ----

#[test]
fn library_is_the_header_s() {
    // SAFETY: these take nothing and return static text or numbers.
    unsafe {
        assert_eq!(krait_abi(), KRAIT_ABI);
        assert_eq!(krait_numerics(), KRAIT_NUMERICS);
        let version = std::ffi::CStr::from_ptr(krait_version()).to_str().unwrap();
        assert_eq!(version, env!("CARGO_PKG_VERSION"));
        let wanted = [KRAIT_VERSION_MAJOR, KRAIT_VERSION_MINOR, KRAIT_VERSION_PATCH];
        assert_eq!(version, wanted.map(|number| number.to_string()).join("."));
    }
}

#[test]
fn sizes_are_accepted_by_the_library() {
    let mut message = krait_message::default();
    let mut model = std::ptr::null_mut();
    let options = krait_open_options::default();
    let path = c"no such file.gguf";
    // SAFETY: all pointers are to live values.
    let status = unsafe { krait_model_open(&mut model, path.as_ptr(), &options, &mut message) };
    assert_eq!(status, KRAIT_ERR_IO);
    assert!(model.is_null());
}
