//! What counts as a word, and what a query finds.

use super::*;
use proptest::prelude::*;

fn words(text: &str) -> Vec<String> {
    Words::of(text).0
}

#[test]
fn case_accents_and_forms_do_not_matter() {
    for (text, word) in [
        ("Größe", "grosse"),
        ("GROẞE", "grosse"),
        ("cafe\u{301}", "cafe"),
        ("Crème", "creme"),
        ("ＵＢＵＮＴＵ", "ubuntu"),
        ("ﬁle", "file"),
        ("ΣΊΣΥΦΟΣ", "σισυφοσ"),
        ("σίσυφος", "σισυφοσ"),
        ("İstanbul", "istanbul"),
        ("ёлка", "елка"),
        ("don't", "dont"),
        ("don’t", "dont"),
    ] {
        assert_eq!(words(text), [word], "{text}");
    }
}

#[test]
fn names_of_files_are_cut_into_their_words() {
    assert_eq!(
        words("Ubuntu_24.04-desktop.amd64.ISO"),
        ["04", "24", "amd64", "desktop", "iso", "ubuntu"]
    );
    assert_eq!(
        words("Überblick_2.Teil.txt"),
        ["2", "teil", "txt", "uberblick"]
    );
    assert_eq!(words("... --- ¿?"), [""; 0]);
}

#[test]
fn scripts_without_spaces_have_words_too() {
    assert_eq!(words("東京 タワー"), ["タワー", "京", "東"]);
    assert_eq!(words("हिन्दी"), ["हिन्दी"], "dependent vowels stay");
}

#[test]
fn a_word_comes_once_and_too_many_are_refused() {
    assert_eq!(words("the The THE"), ["the"]);
    let many: String = (0..=MAX_WORDS_PER_TEXT).map(|n| format!("w{n} ")).collect();
    assert_eq!(
        Words::parse(&many),
        Err(TooManyWords(MAX_WORDS_PER_TEXT + 1))
    );
    assert_eq!(Words::of(&many).len(), MAX_WORDS_PER_TEXT);
}

#[test]
fn a_long_word_is_cut_at_a_letter_and_still_found() {
    let long = "ø".repeat(MAX_WORD_BYTES);
    let query = Query::parse(&long).unwrap();
    assert!(query.terms()[0].letters().len() <= MAX_WORD_BYTES);
    assert!(query.matches_text(&long));
}

#[test]
fn every_word_of_a_query_is_required() {
    let text = "Ubuntu 24.04 installation image";
    for (query, matches) in [
        ("ubuntu", true),
        ("IMAGE ubuntu", true),
        ("24.04", true),
        ("ubuntu 26", false),
        ("ubun", false),
        ("ubun*", true),
        ("ubun* inst*", true),
        ("ubun* deb*", false),
        ("ubuntu*", true),
    ] {
        let query = Query::parse(query).unwrap();
        assert_eq!(query.matches_text(text), matches, "{query}");
    }
}

#[test]
fn what_is_no_query_says_what_to_do() {
    for (text, error) in [
        ("", QueryError::Empty),
        (" -- ", QueryError::Empty),
        ("*", QueryError::ShortPrefix("*".to_owned())),
        ("u*", QueryError::ShortPrefix("u*".to_owned())),
        ("iso -*", QueryError::ShortPrefix("-*".to_owned())),
        ("ub*tu", QueryError::Star("ub*tu".to_owned())),
        ("*buntu", QueryError::Star("*buntu".to_owned())),
        ("a b c d e f g h i", QueryError::TooManyWords(9)),
    ] {
        assert_eq!(Query::parse(text), Err(error), "{text:?}");
    }
    let long = "x".repeat(MAX_QUERY_BYTES + 1);
    assert_eq!(
        Query::parse(&long),
        Err(QueryError::TooLong(MAX_QUERY_BYTES + 1))
    );
}

proptest! {
    #[test]
    fn normalising_twice_changes_nothing(text in "\\PC{0,40}") {
        let once = words(&text);
        let twice = words(&once.join(" "));
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn a_text_is_found_by_its_words_and_their_beginnings(text in "\\PC{0,40}") {
        let all = Words::of(&text);
        for word in all.iter() {
            prop_assert!(Query::parse(word).unwrap().matches(&all), "{}", word);
            if word.len() >= MIN_PREFIX_BYTES {
                let prefix = Query::parse(&format!("{word}*")).unwrap();
                prop_assert!(prefix.matches(&all), "{}", prefix);
            }
        }
    }

    #[test]
    fn a_query_is_read_back_as_it_is_written(text in "\\PC{0,40}") {
        if let Ok(query) = Query::parse(&text) {
            prop_assert_eq!(Query::parse(&query.to_string()), Ok(query));
        }
    }

    #[test]
    fn both_ways_to_cut_a_text_agree(text in "[ -~]{0,60}") {
        let mut fast = Vec::new();
        each_ascii_word(&text, |word| fast.push(word));
        // A letter of another script at the end takes the other way.
        let mut general = Vec::new();
        each_word(&format!("{text} ж"), |word| general.push(word));
        general.pop();
        prop_assert_eq!(fast, general);
    }
}
