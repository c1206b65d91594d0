//! As much of Rust's syntax as the rules need: comments and literals, tokens, paths and definitions.

/// Returns the code of a file without whole-line comments and without its unit tests.
pub(super) fn code(text: &str) -> String {
    let lines = without_unit_tests(text).lines();
    lines.filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Cuts a file where its inline test module begins.
fn without_unit_tests(text: &str) -> &str {
    text.find("\n#[cfg(test)]\nmod tests {").map_or(text, |at| &text[..at])
}

/// Returns the code of a file with spaces in place of comments and literals, and without its unit tests.
pub(super) fn without_literals(text: &str) -> String {
    let chars: Vec<char> = without_unit_tests(text).chars().collect();
    let mut code = String::new();
    let mut at = 0;
    while at < chars.len() {
        let end = literal_end(&chars, at).unwrap_or(at);
        let blank = |c: &char| if *c == '\n' { '\n' } else { ' ' };
        code.extend(chars[at..end].iter().map(blank));
        if end == at {
            code.push(chars[at]);
        }
        at = end.max(at + 1);
    }
    code
}

/// Returns the end of the comment or literal that begins here, if one does.
fn literal_end(chars: &[char], at: usize) -> Option<usize> {
    let after = |from: usize, end: &str| {
        let end: Vec<char> = end.chars().collect();
        let found = chars.get(from..)?.windows(end.len()).position(|window| window == end);
        Some(found.map_or(chars.len(), |found| from + found + end.len()))
    };
    let follows_word = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    match chars[at] {
        '/' if chars[at..].starts_with(&['/', '/']) => {
            Some(chars[at..].iter().position(|c| *c == '\n').map_or(chars.len(), |n| at + n))
        }
        '/' if chars[at..].starts_with(&['/', '*']) => after(at + 2, "*/"),
        'r' if !follows_word => {
            let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
            let is_string = chars.get(at + 1 + hashes) == Some(&'"');
            if is_string { after(at + 2 + hashes, &format!("\"{}", "#".repeat(hashes))) } else { None }
        }
        '"' => Some(after_escapes(chars, at + 1, '"')),
        // Otherwise it is a lifetime.
        '\'' if chars.get(at + 1) == Some(&'\\') => Some(after_escapes(chars, at + 1, '\'')),
        '\'' if chars.get(at + 2) == Some(&'\'') => Some(at + 3),
        _ => None,
    }
}

fn after_escapes(chars: &[char], from: usize, end: char) -> usize {
    let mut at = from;
    while at < chars.len() && chars[at] != end {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

/// Splits code without literals into words, `::` and single characters.
fn tokens(code: &str) -> Vec<&str> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut tokens = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let word = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let length = match word {
            0 if rest.starts_with("::") => 2,
            0 => first.len_utf8(),
            word => word,
        };
        tokens.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    tokens
}

/// Returns the names of the types that a file defines outside of functions and implementations.
pub(super) fn definitions(text: &str) -> Vec<String> {
    let code = without_literals(text);
    let mut depth = 0_usize;
    let mut names = Vec::new();
    for pair in tokens(&code).windows(2) {
        match pair[0] {
            "{" => depth += 1,
            "}" => depth = depth.saturating_sub(1),
            "struct" | "enum" | "trait" | "union" | "type" if depth == 0 => names.push(pair[1].to_owned()),
            _ => {}
        }
    }
    names
}

/// How a file mentions a path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Mention {
    Use,
    Reexport,
    Inline,
}

/// A path in a file, as written. `name` is the name under which a `use` makes it known; `None` for `*`.
#[derive(Debug, Clone)]
pub(super) struct Path {
    pub(super) segments: Vec<String>,
    pub(super) name: Option<String>,
    pub(super) mention: Mention,
}

/// Returns every path with `::` and every `use` of a file.
pub(super) fn paths(text: &str) -> Vec<Path> {
    let code = without_literals(text);
    let tokens = tokens(&code);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at] == "use" && tokens.get(at + 1).is_some_and(|next| *next != "<") {
            let mention = if is_public(&tokens[..at]) { Mention::Reexport } else { Mention::Use };
            at = use_tree(&tokens, at + 1, &[], mention, &mut found);
        } else if is_word(tokens[at]) && tokens.get(at + 1) == Some(&"::") {
            let mut segments = vec![tokens[at].to_owned()];
            while tokens.get(at + 1) == Some(&"::") && tokens.get(at + 2).is_some_and(|next| is_word(next)) {
                segments.push(tokens[at + 2].to_owned());
                at += 2;
            }
            found.push(Path { name: segments.last().cloned(), segments, mention: Mention::Inline });
        }
        at += 1;
    }
    found
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Whether `pub` or `pub(…)` is just before a `use`.
fn is_public(before: &[&str]) -> bool {
    match before {
        [.., "pub"] => true,
        [.., ")"] => before.iter().rposition(|token| *token == "(").is_some_and(|at| at > 0 && before[at - 1] == "pub"),
        _ => false,
    }
}

/// Adds the paths of a `use` tree; returns the place after it.
fn use_tree(tokens: &[&str], mut at: usize, prefix: &[String], mention: Mention, found: &mut Vec<Path>) -> usize {
    let mut segments = prefix.to_vec();
    while let Some(token) = tokens.get(at) {
        at += 1;
        match *token {
            "::" => {}
            "{" => {
                while tokens.get(at).is_some_and(|token| *token != "}") {
                    at = use_tree(tokens, at, &segments, mention, found);
                    at += usize::from(tokens.get(at) == Some(&","));
                }
                return at + 1;
            }
            "*" => {
                found.push(Path { segments, name: None, mention });
                return at;
            }
            word => {
                if word != "self" || segments.is_empty() {
                    segments.push(word.to_owned());
                }
                if tokens.get(at) != Some(&"::") {
                    let alias = tokens.get(at) == Some(&"as");
                    let name = if alias { Some(tokens[at + 1].to_owned()) } else { segments.last().cloned() };
                    found.push(Path { segments, name, mention });
                    return if alias { at + 2 } else { at };
                }
            }
        }
    }
    at
}

#[test]
fn comments_strings_and_characters_are_blanked() {
    let code = "a // b\n/* c */ \"d \\\" e\" r#\"f \" g\"# 'h' '\\'' &'i u8 for\"j\"";
    assert_eq!(without_literals(code).split_whitespace().collect::<Vec<_>>(), ["a", "&'i", "u8", "for"]);
}

#[test]
fn paths_are_read_from_uses_and_code() {
    let code =
        "pub(crate) use self::a::{self, B as C, d::*}; use crate::e; fn f() -> impl Fn() + use<> { g::h::<u8>() }";
    let read: Vec<_> =
        paths(code).into_iter().map(|path| (path.segments.join("::"), path.name, path.mention)).collect();
    let named = |path: &str, name: Option<&str>, mention| (path.to_owned(), name.map(str::to_owned), mention);
    let expected = [
        named("self::a", Some("a"), Mention::Reexport),
        named("self::a::B", Some("C"), Mention::Reexport),
        named("self::a::d", None, Mention::Reexport),
        named("crate::e", Some("e"), Mention::Use),
        named("g::h", Some("h"), Mention::Inline),
    ];
    assert_eq!(read, expected);
}
