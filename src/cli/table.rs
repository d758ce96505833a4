//! Aligned columns for a terminal.

/// Columns of the narrowest terminal that is cared for.
pub(super) const WIDTH: usize = 80;
/// The first column is at least this wide if the others leave room, so that tables below each other line up.
const FIRST: usize = 34;
/// The others at least this.
const OTHER: usize = 13;
/// What the first column keeps, whatever the others need.
const LEAST: usize = 8;

/// A table: a name on the left of each line, numbers to the right.
pub(super) struct Table<const N: usize> {
    headings: [&'static str; N],
    rows: Vec<[String; N]>,
    /// What is said instead of no rows.
    nothing: &'static str,
}

impl<const N: usize> Table<N> {
    pub(super) fn new(headings: [&'static str; N], nothing: &'static str) -> Self {
        Self { headings, rows: Vec::new(), nothing }
    }

    pub(super) fn row(&mut self, row: [String; N]) {
        // What a server sends must not move the cursor.
        self.rows.push(row.map(|cell| cell.replace(char::is_control, "?")));
    }

    /// The lines, the headings first.
    pub(super) fn lines(&self) -> Vec<String> {
        if self.rows.is_empty() {
            let [title, ..] = self.headings.as_slice() else { return Vec::new() };
            return vec![format!("{title}: {}", self.nothing)];
        }
        let mut widths = self.headings.map(length);
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(length(cell));
            }
        }
        if let [first, others @ ..] = widths.as_mut_slice() {
            others.iter_mut().for_each(|width| *width = (*width).max(OTHER));
            let room = others.iter().fold(WIDTH, |room, width| room.saturating_sub(width + 2));
            *first = (*first).max(FIRST).min(room).max(LEAST);
        }
        let headings = line(self.headings, &widths);
        let rows = self.rows.iter().map(|row| line(row.each_ref().map(String::as_str), &widths));
        std::iter::once(headings).chain(rows).collect()
    }
}

fn line<const N: usize>(cells: [&str; N], widths: &[usize; N]) -> String {
    let mut line = String::new();
    for (index, (cell, width)) in cells.into_iter().zip(widths).enumerate() {
        let width = *width;
        if index == 0 {
            line.push_str(&format!("{:width$}", shortened(cell, width)));
        } else {
            line.push_str(&format!("  {cell:>width$}"));
        }
    }
    line
}

fn length(text: impl AsRef<str>) -> usize {
    text.as_ref().chars().count()
}

fn shortened(text: &str, width: usize) -> String {
    if length(text) <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// Text in lines of at most [`WIDTH`] columns, broken between words; a longer word has a line of its own. `R$` stays with its
/// amount.
pub(super) fn wrapped(text: &str) -> String {
    const TOGETHER: &str = "\u{a0}";
    let mut lines: Vec<String> = Vec::new();
    for word in text.replace("R$ ", &format!("R${TOGETHER}")).split(' ') {
        match lines.last_mut() {
            Some(line) if length(&*line) + 1 + length(word) <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n").replace(TOGETHER, " ").replace(|c: char| c.is_control() && c != '\n', "?")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_end_in_one_column_and_long_names_are_cut() {
        let mut table = Table::new(["Por cliente", "requisições", "gasto"], "nada gasto");
        table.row(["anonymous".into(), "12".into(), "R$ 3,00".into()]);
        table.row(["c".repeat(100), "1.234".into(), "R$ 1.234,56".into()]);
        table.row(["a\u{1b}[2Jb".into(), "1".into(), "R$ 0,01".into()]);
        let lines = table.lines();
        assert_eq!(lines[0], format!("{:50}  {:>13}  {:>13}", "Por cliente", "requisições", "gasto"));
        assert_eq!(lines[2], format!("{}…  {:>13}  {:>13}", "c".repeat(49), "1.234", "R$ 1.234,56"));
        assert!(lines[3].starts_with("a?[2Jb "));
        assert!(lines.iter().all(|line| length(line) == 80), "{lines:#?}");
    }

    #[test]
    fn no_rows_are_one_line() {
        let empty = Table::new(["Por cliente", "requisições"], "nada gasto");
        assert_eq!(empty.lines(), ["Por cliente: nada gasto"]);
    }

    #[test]
    fn money_is_not_broken_from_its_sign() {
        let text = wrapped(&format!("{} R$ 1,00 e mais", "x".repeat(76)));
        assert_eq!(text, format!("{}\nR$ 1,00 e mais", "x".repeat(76)));
    }

    proptest! {
        #[test]
        fn nothing_is_wider_than_the_terminal(
            name in any::<String>(), text in "[ -~]{0,70}( [a-z$]{0,20}){0,30}", number in 0..1_000_000_000_000_u64,
        ) {
            let mut table = Table::new(["Título", "requisições", "gasto", "evitado"], "");
            table.row([name, number.to_string(), number.to_string(), number.to_string()]);
            for line in table.lines().iter().map(String::as_str).chain(wrapped(&text).lines()) {
                prop_assert!(length(line) <= WIDTH, "{}", line);
            }
        }
    }
}
