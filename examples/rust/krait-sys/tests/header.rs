//! Holds the declarations to krait.h: what a C compiler prints of every struct, field and constant, and the text of
//! every function.  When the header grows, the failing test shows the lines that are missing here.

use krait_sys::*;
use std::fmt::Write as _;
use std::mem::{align_of, offset_of, size_of};
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

macro_rules! structs_here {
    ($table:ident; $($name:ident { $($field:ident)* })*) => {$(
        $table.push(format!("{} {} {}", stringify!($name), size_of::<$name>(), align_of::<$name>()));
        $(
            // SAFETY: a zeroed struct of integers, floats and pointers.
            let size = { let all: $name = unsafe { std::mem::zeroed() }; std::mem::size_of_val(&all.$field) };
            let field = stringify!($field).trim_start_matches("r#");
            $table.push(format!("{}.{field} {} {size}", stringify!($name), offset_of!($name, $field)));
        )*
    )*};
}

macro_rules! constants_here {
    ($table:ident; $($name:ident)*) => {
        $($table.push(format!("{} {}", stringify!($name), $name as i64));)*
    };
}

fn rust_table() -> Vec<String> {
    let mut table = Vec::new();
    structs_here! { table;
        krait_message { text }
        krait_allocator { user allocate release }
        krait_tensor { name data bytes shape dimensions r#type }
        krait_open_options { size max_bytes allocator progress progress_user warn warn_user
            description flags unused_ }
        krait_slot_info { size name width kind unused_ }
        krait_state_options { size lanes chunk tasks context max_steps unused_ }
        krait_part { size name shape dimensions unused_ }
        krait_order { name order count }
        krait_slot { name rows capacity width stride }
        krait_input { size steps tokens features dt reset lengths parallel parallel_user progress
            progress_user mode nan_policy orders order_count }
        krait_output { size rows capacity which mode_used held counts steps_done stride slots
            slot_count }
        krait_tokenizer_options { size max_bytes allocator }
        krait_decoder { held count begun unused_ }
        krait_token_info { size bytes count flags unused_ }
        krait_rng { word }
        krait_sample_options { size temperature top_p min_p repetition top_k unused_ recent
            recent_count }
        krait_convert_options { size max_bytes allocator progress progress_user warn warn_user
            description r#type layout flags unused_ }
    }
    constants_here! { table;
        KRAIT_VERSION_MAJOR KRAIT_VERSION_MINOR KRAIT_VERSION_PATCH KRAIT_ABI KRAIT_NUMERICS
        KRAIT_STATE_ALIGNMENT KRAIT_OK KRAIT_ERR_ARGUMENT KRAIT_ERR_MEMORY KRAIT_ERR_IO
        KRAIT_ERR_FORMAT KRAIT_ERR_UNSUPPORTED KRAIT_ERR_SHAPE KRAIT_ERR_MODEL KRAIT_ERR_ALIGNMENT
        KRAIT_ERR_SPACE KRAIT_ERR_CANCELLED KRAIT_ERR_CANNOT_STEP KRAIT_ERR_BUILD KRAIT_F32
        KRAIT_F16 KRAIT_BF16 KRAIT_Q8_0 KRAIT_OPEN_READ KRAIT_OPEN_BORROW KRAIT_OPEN_CHECK
        KRAIT_OPEN_PLAIN KRAIT_OPEN_FAST KRAIT_IN_WIDTH KRAIT_OUT_WIDTH KRAIT_VOCABULARY
        KRAIT_LAYERS KRAIT_PARAMETERS KRAIT_WHOLE_SEQUENCE KRAIT_WEIGHT_BYTES
        KRAIT_STATE_BYTES_PER_LANE KRAIT_CAN_STEP KRAIT_USES_DT KRAIT_TAKES_TOKENS KRAIT_END_TOKEN
        KRAIT_GRID_ROWS KRAIT_GRID_COLUMNS KRAIT_MOST_STEPS KRAIT_SLOT_ORDER KRAIT_SLOT_ROWS
        KRAIT_SLOT_INNER KRAIT_ALL_LANES KRAIT_RECURRENT KRAIT_AUTO KRAIT_SCAN KRAIT_CONVOLUTION
        KRAIT_ROWS_ALL KRAIT_ROWS_LAST KRAIT_ROWS_NONE KRAIT_NAN_PROPAGATE KRAIT_NAN_REFUSE
        KRAIT_NAN_HOLD KRAIT_TOKENIZER_COUNT KRAIT_TOKENIZER_BEGIN KRAIT_TOKENIZER_END
        KRAIT_TOKENIZER_UNKNOWN KRAIT_TOKENIZER_ENCODES KRAIT_TEXT_SPECIAL KRAIT_TEXT_GOES_ON
        KRAIT_TEXT_AROUND KRAIT_TOKEN_SPECIAL KRAIT_TOKEN_ADDED KRAIT_TOKEN_BYTE
        KRAIT_TOKEN_UNUSED KRAIT_TOKEN_UNKNOWN KRAIT_LAYOUT_ROWS KRAIT_LAYOUT_PANELS
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
