//! Rust text without its comments, strings and tests, line for line.

/// Replaces comments and the contents of strings and character literals by blanks. Line breaks
/// stay, so that line numbers do.
pub(crate) fn without_comments_and_strings(text: &str) -> String {
    let mut rest = text;
    let mut code = String::with_capacity(text.len());
    while let Some(first) = rest.chars().next() {
        let (hidden, length) = token(rest, code.chars().next_back());
        let length = if length == 0 {
            first.len_utf8()
        } else {
            length
        };
        let (head, tail) = rest.split_at(length);
        if hidden {
            code.extend(head.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        } else {
            code.push_str(head);
        }
        rest = tail;
    }
    code
}

/// Whether the text begins with something to hide, and its length in bytes.
fn token(rest: &str, before: Option<char>) -> (bool, usize) {
    let inside_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if rest.starts_with("//") {
        return (true, rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return (true, block_comment(rest));
    }
    if !inside_word && (rest.starts_with("r\"") || rest.starts_with("r#")) {
        let fences = rest[1..].bytes().take_while(|&byte| byte == b'#').count();
        if rest[1 + fences..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(fences));
            let body = 2 + fences;
            let length = rest[body..]
                .find(&end)
                .map_or(rest.len(), |at| body + at + end.len());
            return (true, length);
        }
    }
    if rest.starts_with('"') {
        return (true, quoted(rest, '"'));
    }
    // `'a'` and `'\n'` are characters, `'a` alone is a lifetime.
    let mut after = rest.chars().skip(1);
    if rest.starts_with('\'') && (after.next() == Some('\\') || after.next() == Some('\'')) {
        return (true, quoted(rest, '\''));
    }
    (false, 0)
}

/// The length of a block comment; they nest.
fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        let here = &rest.as_bytes()[at..];
        if here.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// The length of a literal that ends at the first `quote` that is not escaped.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in rest.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            end if end == quote => return at + end.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

/// Blanks every item under `#[cfg(test)]`. The text must be free of comments and strings.
pub(crate) fn without_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut kept = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = rest.find(MARK) {
        let (head, tail) = rest.split_at(at);
        kept.push_str(head);
        let (item, tail) = tail.split_at(item_end(tail));
        kept.extend(item.chars().filter(|&c| c == '\n'));
        rest = tail;
    }
    kept.push_str(rest);
    kept
}

/// Where the item ends: at a `;` outside of braces, or at the brace that closes the first.
fn item_end(item: &str) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in item.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth <= 1 => return at + 1,
            b'}' => depth -= 1,
            b';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    item.len()
}

/// Whether `word` (a name or a path) occurs in the code, not as a part of a longer name.
pub(crate) fn has_word(code: &str, word: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        !before.is_some_and(is_name) && !after.is_some_and(is_name)
    })
}

#[test]
fn comments_and_strings_are_hidden_and_code_is_not() {
    let text = "a // b\n\"c \\\" d\" e /* f /* g */ h */ i r#\"j \" k\"# 'l' '\\'' m<'n> 'o: p";
    let code = without_comments_and_strings(text);
    let words: Vec<&str> = code.split_whitespace().collect();
    assert_eq!(words, ["a", "e", "i", "m<'n>", "'o:", "p"]);
    assert_eq!(code.lines().count(), 2);
}

#[test]
fn tests_are_hidden_and_what_follows_is_not() {
    let code = "a\n#[cfg(test)]\nmod tests;\nb\n#[cfg(test)]\nmod t { fn x() { } }\nc";
    let kept = without_tests(code);
    assert_eq!(kept.split_whitespace().collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(kept.lines().count(), code.lines().count());
}

#[test]
fn words_are_whole() {
    assert!(has_word("use std::fs;", "std::fs"));
    assert!(!has_word("use std::fsync;", "std::fs"));
    assert!(!has_word("MyHashMap::new()", "HashMap"));
}
