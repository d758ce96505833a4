//! Where settings come from: the environment, and a `.env` file in the working directory. A real variable wins.

use std::collections::HashMap;

/// Named texts. Tests read from a map instead of the process's environment.
pub trait Strings {
    /// The value of a variable; an empty one counts as not set.
    fn get(&self, name: &str) -> Option<String>;
}

impl Strings for HashMap<&str, &str> {
    fn get(&self, name: &str) -> Option<String> {
        HashMap::get(self, name).filter(|value| !value.is_empty()).map(|value| (*value).to_owned())
    }
}

/// The process's environment over the `.env` file.
#[derive(Debug, Default)]
pub struct Environment {
    file: HashMap<String, String>,
}

impl Environment {
    /// Reads `.env` if there is one.
    ///
    /// # Errors
    /// Says what is wrong with the file when it exists but cannot be read.
    pub fn load() -> Result<Self, String> {
        match dotenvy::from_filename_iter(".env") {
            Ok(lines) => {
                // The error would quote the line, and the line may hold a key.
                let file = lines.enumerate().map(|(index, line)| {
                    line.map_err(|_quotes_the_line| {
                        format!(".env cannot be read at entry {}: check its quotes", index + 1)
                    })
                });
                Ok(Self { file: file.collect::<Result<_, _>>()? })
            }
            Err(error) if error.not_found() => Ok(Self::default()),
            Err(error) => Err(format!(".env cannot be read: {error}")),
        }
    }
}

impl Strings for Environment {
    #[expect(clippy::disallowed_methods, reason = "this file owns the environment")]
    fn get(&self, name: &str) -> Option<String> {
        let real = std::env::var(name).ok();
        real.or_else(|| self.file.get(name).cloned()).filter(|value| !value.is_empty())
    }
}
