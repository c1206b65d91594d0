//! Plain words in comments and documents: each sentence names its subject and uses standard terms.

use super::{Source, files, sources};

/// No sentence begins with these, unless it is a question.
const OPENINGS: [&str; 3] = ["what", "whatever", "whoever"];

/// Words of the old dialect. Better: "returns", "reports", "is retried", "represents", "again", "dead letter", "time
/// budget".
const WORDS: [&str; 16] = [
    "told",
    "whoever",
    "anew",
    "patience",
    "comes again",
    "come again",
    "came again",
    "stands",
    "stand for",
    "stand over",
    "up to date",
    "of use",
    "put aside",
    "puts aside",
    "nobody in particular",
    "how manieth",
];

/// Words that are sometimes right: the limit is in lines with one of them per thousand lines of comments.
const SHARES: [(&[&str], f64); 3] =
    [(&["what", "whatever"], 6.0), (&["tell", "tells", "told"], 1.0), (&["give", "gives"], 2.0)];

/// Places where a phrase is the right one, as (file, phrase of the sentence).
const ALLOWED: &[(&str, &str)] = &[];

/// Documents that a program writes.
const GENERATED: [&str; 1] = ["docs/performance.md"];

/// A sentence, or a part of one, with the line on which it begins.
#[derive(Debug, Clone, PartialEq)]
struct Sentence {
    line: usize,
    text: String,
}

/// Lines of text that belong together, each with its number.
type Block = Vec<(usize, String)>;

/// Returns the comments of a Rust file: whole-line comments in blocks, and each comment after code.
fn comments(text: &str) -> Vec<Block> {
    let mut blocks = vec![Block::new()];
    let mut is_example = false;
    for (number, line) in (1..).zip(text.lines()) {
        let whole = line.trim_start().strip_prefix("//").map(|comment| comment.trim_start_matches(['/', '!']).trim());
        let comment = whole.or_else(|| comment_after_code(line)).unwrap_or_default();
        if whole.is_none() || comment.is_empty() || comment.starts_with("```") {
            blocks.push(Block::new());
        }
        if comment.starts_with("```") {
            is_example = !is_example;
        } else if !comment.is_empty() && !is_example {
            add_line(&mut blocks, number, comment);
        }
    }
    blocks
}

/// Returns the comment at the end of a line of code. `//` within a string is after an odd number of quotes.
fn comment_after_code(line: &str) -> Option<&str> {
    let (at, _) = line.match_indices(" // ").find(|(at, _)| line[..*at].matches('"').count().is_multiple_of(2))?;
    Some(line[at + 4..].trim())
}

/// Returns the paragraphs, list items and table cells of a Markdown document, without headings and code blocks.
fn prose(text: &str) -> Vec<Block> {
    let mut blocks = vec![Block::new()];
    let mut is_code = false;
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim().trim_start_matches('>').trim_start();
        if line.starts_with("```") {
            is_code = !is_code;
        }
        if is_code || line.is_empty() || line.starts_with("```") || line.starts_with('#') {
            blocks.push(Block::new());
        } else if line.starts_with('|') {
            for cell in line.split('|') {
                blocks.push(vec![(number, cell.trim().to_owned())]);
            }
            blocks.push(Block::new());
        } else {
            add_line(&mut blocks, number, line);
        }
    }
    blocks
}

/// Adds a line to the last block, or to a new one if it begins an item of a list.
fn add_line(blocks: &mut Vec<Block>, number: usize, line: &str) {
    let is_numbered = line.split_once(". ").is_some_and(|(before, _)| before.chars().all(|c| c.is_ascii_digit()));
    if line.starts_with(['-', '*']) && line[1..].starts_with(' ') || is_numbered {
        blocks.push(Block::new());
    }
    blocks.last_mut().unwrap().push((number, line.to_owned()));
}

/// Splits a block into sentences. A colon or semicolon before a capital letter ends one as well.
fn sentences(block: &Block) -> Vec<Sentence> {
    let mut found = Vec::new();
    let mut sentence = Sentence { line: 0, text: String::new() };
    for (number, line) in block {
        for word in line.split_whitespace() {
            let is_capital = word.trim_start_matches(|c: char| !c.is_alphanumeric()).starts_with(char::is_uppercase);
            let before = sentence.text.trim_end_matches(['"', '\'', ')', '*', '_']);
            if before.ends_with(['.', '!', '?']) || before.ends_with([':', ';']) && is_capital {
                found.push(std::mem::replace(&mut sentence, Sentence { line: 0, text: String::new() }));
            }
            if sentence.text.is_empty() {
                sentence.line = *number;
            } else {
                sentence.text.push(' ');
            }
            sentence.text.push_str(word);
        }
    }
    found.push(sentence);
    found.retain(|sentence| !sentence.text.is_empty());
    found
}

/// Returns the words of a text in lower case, separated and surrounded by single spaces. Code in backticks is left out.
fn words(text: &str) -> String {
    let outside = text.split('`').step_by(2).collect::<Vec<_>>().join(" code ");
    let words = outside.split(|c: char| !c.is_alphanumeric() && c != '\'').filter(|word| !word.is_empty());
    format!(" {} ", words.collect::<Vec<_>>().join(" ").to_lowercase())
}

/// Returns the reason why a sentence is not in plain words, if it is not.
fn fault(sentence: &Sentence) -> Option<String> {
    let words = words(&sentence.text);
    let first = words.split_whitespace().next().unwrap_or_default();
    let is_opening = sentence.text.trim_start_matches(|c: char| !c.is_alphanumeric()).starts_with('W');
    if OPENINGS.contains(&first) && is_opening && !sentence.text.ends_with('?') {
        return Some(format!("begins with {first}"));
    }
    let word = WORDS.iter().find(|word| words.contains(&format!(" {word} ")))?;
    Some(format!("has \"{word}\""))
}

/// Returns the sentences of a file that are not in plain words, but for those that `allowed` names for it.
fn faults(source: &Source, blocks: &[Block], allowed: &[(&str, &str)]) -> Vec<String> {
    let is_allowed = |sentence: &Sentence| {
        allowed.iter().any(|(file, phrase)| source.path == *file && sentence.text.contains(phrase))
    };
    let sentences = blocks.iter().flat_map(sentences).filter(|sentence| !is_allowed(sentence));
    sentences
        .filter_map(|sentence| {
            let reason = fault(&sentence)?;
            Some(format!("{}:{}: {reason}: {}", source.path, sentence.line, sentence.text))
        })
        .collect()
}

/// Reads the documents that people write, without the decisions and the change log.
fn documents() -> Vec<Source> {
    let root = crate::harness::workspace::root();
    let named = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"];
    let named = named.map(|path| Source::new(path, &std::fs::read_to_string(root.join(path)).unwrap()));
    let docs = files("docs", "md").into_iter().filter(|source| source.path.matches('/').count() == 1);
    let documents: Vec<Source> =
        named.into_iter().chain(docs).filter(|source| !GENERATED.contains(&source.path.as_str())).collect();
    assert!(documents.len() > 6, "only {} documents were found", documents.len());
    documents
}

/// Returns every file with its comments or its prose.
fn texts() -> Vec<(Source, Vec<Block>)> {
    let commented = sources().into_iter().map(|source| (comments(&source.text), source));
    let documents = documents().into_iter().map(|source| (prose(&source.text), source));
    commented.chain(documents).map(|(blocks, source)| (source, blocks)).collect()
}

#[test]
fn comments_and_documents_are_in_plain_words() {
    let texts = texts();
    let count: usize = texts.iter().flat_map(|(_, blocks)| blocks).map(|block| sentences(block).len()).sum();
    assert!(count > 2_000, "only {count} sentences were found");
    let faults: Vec<String> = texts.iter().flat_map(|(source, blocks)| faults(source, blocks, ALLOWED)).collect();
    assert!(faults.is_empty(), "{} sentences are not in plain words:\n{}", faults.len(), faults.join("\n"));
    for (file, phrase) in ALLOWED {
        let mut sentences =
            texts.iter().filter(|(source, _)| source.path == *file).flat_map(|(_, blocks)| blocks).flat_map(sentences);
        let is_needed = sentences.any(|sentence| sentence.text.contains(phrase) && fault(&sentence).is_some());
        assert!(is_needed, "{file} has no {phrase:?} that must be allowed: remove it from ALLOWED");
    }
}

/// The limits are twice the shares in matrix-authentication-service.
#[test]
fn vague_words_are_rare_in_comments() {
    let sources = sources();
    let lines: Vec<(String, String)> = sources
        .iter()
        .flat_map(|source| {
            let lines = comments(&source.text).into_iter().flatten();
            lines.map(|(number, line)| (words(&line), format!("{}:{number}: {line}", source.path)))
        })
        .collect();
    assert!(lines.len() > 2_500, "only {} lines of comments were found", lines.len());
    for (of, limit) in SHARES {
        let has_one = |words: &str| of.iter().any(|word| words.contains(&format!(" {word} ")));
        let with: Vec<&str> =
            lines.iter().filter(|(words, _)| has_one(words)).map(|(_, place)| place.as_str()).collect();
        let share = with.len() as f64 * 1_000.0 / lines.len() as f64;
        let places = with.join("\n");
        assert!(share < limit, "{of:?}: {share:.1} in a thousand lines of comments, {limit} are too many:\n{places}");
    }
}

#[test]
fn old_dialect_in_comments_is_found_with_file_and_line() {
    let text = [
        "//! Fine: it works. What is",
        "//! left is told.",
        "",
        "let x = \"// What\"; // Whoever asks.",
        "/// ```",
        "// What",
        "/// ```",
    ];
    let source = Source::new("a.rs", &text.join("\n"));
    let found = faults(&source, &comments(&source.text), &[("b.rs", "What"), ("a.rs", "Whoever")]);
    assert_eq!(found, ["a.rs:1: begins with what: What is left is told."]);
    let source = Source::new("a.rs", "/// Is retried. `told` and\n/// \"comes again\"; it came up.\nfn f() {} // anew");
    let found = faults(&source, &comments(&source.text), &[]);
    assert_eq!(
        found,
        ["a.rs:1: has \"comes again\": `told` and \"comes again\"; it came up.", "a.rs:3: has \"anew\": anew"]
    );
}

#[test]
fn headings_questions_and_code_of_documents_are_not_judged() {
    let text = [
        "# What happens",
        "",
        "What is it? It is told.",
        "",
        "| Whatever | x |",
        "```",
        "What",
        "```",
        "- what",
        "- What",
    ];
    let source = Source::new("a.md", &text.join("\n"));
    let found = faults(&source, &prose(&source.text), &[]);
    let expected = [
        "a.md:3: has \"told\": It is told.",
        "a.md:5: begins with whatever: Whatever",
        "a.md:10: begins with what: - What",
    ];
    assert_eq!(found, expected);
}
