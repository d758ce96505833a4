//! `JUSCACHE_ADMIN_TOKEN`: what opens the pages below `/api/v1/admin`. Without it one is made at the start, printed once, and
//! accepted from this machine only.

use secrecy::SecretString;

use super::reader::Reader;

/// The variable.
pub const ADMIN_TOKEN: &str = "JUSCACHE_ADMIN_TOKEN";

/// Characters of the shortest token: less can be guessed, however slowly guesses are answered.
const SHORTEST: usize = 16;

/// Reads the token. A mistake never repeats it.
pub fn read_token(reader: &mut Reader<'_>) -> Option<SecretString> {
    let token = reader.text(ADMIN_TOKEN)?;
    if token.len() < SHORTEST {
        reader.refuse(ADMIN_TOKEN, format!("too short: use at least {SHORTEST} characters, random ones"));
    } else if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        let what = "cannot be sent in a header: use letters, digits and signs of ASCII only, without blanks";
        reader.refuse(ADMIN_TOKEN, what);
    }
    Some(SecretString::from(token))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use secrecy::ExposeSecret;

    use crate::config::Settings;

    #[test]
    fn a_token_is_long_and_can_be_sent_and_is_never_shown() {
        let read = |token| Settings::read(&HashMap::from([("JUSCACHE_ADMIN_TOKEN", token)]));
        let settings = read("0123456789abcde=").unwrap();
        assert_eq!(settings.admin_token.as_ref().unwrap().expose_secret(), "0123456789abcde=");
        assert!(!format!("{settings:?}").contains("0123456789abcde"));
        assert!(Settings::read(&HashMap::new()).unwrap().admin_token.is_none());
        for wrong in ["hunter2", "hunter2 hunter2 hunter2", "hunter2hunter2hunter2ç"] {
            let mistakes = read(wrong).unwrap_err();
            assert!(mistakes.to_string().starts_with("JUSCACHE_ADMIN_TOKEN: "), "{mistakes}");
            assert!(!format!("{mistakes:?}").contains("hunter2"), "{mistakes:?}");
        }
    }
}
