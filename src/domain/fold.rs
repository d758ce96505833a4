//! One spelling for texts that courts write in many ways: capitals or not, with accents or without.

/// Lower case, Portuguese accents removed, runs of white space collapsed to one blank, none at the ends. Invisible characters (soft
/// hyphen, zero-width blanks, accents written as separate characters) vanish. Idempotent.
#[must_use]
pub fn fold(text: &str) -> String {
    fold_chars(text.chars(), text.len())
}

/// [`fold`] of the first `limit` characters only: the work is bounded whatever the length of the text.
#[must_use]
pub(super) fn fold_prefix(text: &str, limit: usize) -> String {
    fold_chars(text.chars().take(limit), text.len().min(limit))
}

fn fold_chars(chars: impl Iterator<Item = char>, capacity: usize) -> String {
    let mut folded = String::with_capacity(capacity);
    let mut blank = false;
    let mut push = |character: char, blank: &mut bool| {
        if std::mem::take(blank) && !folded.is_empty() {
            folded.push(' ');
        }
        folded.push(character);
    };
    for character in chars {
        if character.is_ascii() && !character.is_ascii_whitespace() && character != '\u{b}' {
            push(character.to_ascii_lowercase(), &mut blank);
        } else if character.is_whitespace() {
            blank = true;
        } else {
            for lower in character.to_lowercase().filter(|lower| !is_invisible(*lower)) {
                push(without_accent(lower), &mut blank);
            }
        }
    }
    folded
}

const fn is_invisible(character: char) -> bool {
    matches!(character, '\u{ad}' | '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
}

const fn without_accent(lower: char) -> char {
    match lower {
        'á' | 'à' | 'â' | 'ã' | 'ä' | 'å' | 'ª' => 'a',
        'é' | 'è' | 'ê' | 'ë' => 'e',
        'í' | 'ì' | 'î' | 'ï' => 'i',
        // The degree sign is what many keyboards give for the ordinal: "2°".
        'ó' | 'ò' | 'ô' | 'õ' | 'ö' | 'º' | '°' => 'o',
        'ú' | 'ù' | 'û' | 'ü' => 'u',
        'ç' => 'c',
        'ñ' => 'n',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spellings_of_one_text_fold_alike() {
        for text in [
            "DECISÃO DE 2ª INSTÂNCIA",
            "Decisao  de 2a\u{a0}instancia ",
            "\n decisa\u{303}o de\t2ª insta\u{302}ncia",
            "deci\u{ad}são de 2ª instância\u{feff}",
        ] {
            assert_eq!(fold(text), "decisao de 2a instancia", "{text:?}");
        }
        assert_eq!(fold(""), "");
        assert_eq!(fold(" \u{b}\u{2003} "), "");
        assert_eq!(fold("Citação/Intimação — nº 3"), "citacao/intimacao — no 3");
    }

    #[test]
    fn a_prefix_is_cut_in_characters() {
        assert_eq!(fold_prefix("ÇÃO é", 3), "cao");
        assert_eq!(fold_prefix("x", 0), "");
    }

    proptest! {
        #[test]
        fn folding_twice_changes_nothing(text in any::<String>()) {
            let once = fold(&text);
            prop_assert_eq!(fold(&once), once);
        }

        #[test]
        fn no_blank_is_left_to_collapse(text in "[ \\t\\n\u{a0}\u{200b}aÁ\u{301}]{0,40}") {
            let folded = fold(&text);
            prop_assert!(!folded.contains("  "));
            prop_assert_eq!(folded.trim(), folded.as_str());
        }
    }
}
