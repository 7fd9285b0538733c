//! Aligned columns.

use super::style::{Style, clean};
use std::fmt::Display;

const GAP: &str = "  ";

/// One cell: text and what it means.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    text: String,
    style: Style,
    right: bool,
}

impl Cell {
    /// Text on the left. Line breaks become spaces.
    pub(crate) fn text(text: impl Display) -> Cell {
        let text = clean(&text.to_string()).replace(['\n', '\t'], " ");
        Cell { text, style: Style::Plain, right: false }
    }

    /// A number, on the right.
    pub(crate) fn number(number: impl Display) -> Cell {
        Cell { right: true, ..Cell::text(number) }
    }

    /// The text if there is some, else a dash.
    pub(crate) fn maybe(text: Option<impl Display>) -> Cell {
        text.map_or_else(|| Cell::text("-").styled(Style::Dim), Cell::text)
    }

    /// The same cell in a style.
    pub(crate) fn styled(self, style: Style) -> Cell {
        Cell { style, ..self }
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }

    /// The last cell of a line is not filled up, so that no line ends in spaces.
    fn render(&self, width: usize, last: bool, colour: bool) -> String {
        let fill = " ".repeat(width.saturating_sub(self.width()));
        let text = self.style.paint(&self.text, colour);
        match (self.right, last) {
            (true, _) => format!("{fill}{text}"),
            (false, false) => format!("{text}{fill}"),
            (false, true) => text,
        }
    }
}

/// Rows under a head.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    head: Vec<Cell>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// An empty table with these columns; each row has as many cells.
    pub(crate) fn new(head: &[&str]) -> Table {
        let head = head.iter().map(|name| Cell::text(name).styled(Style::Head)).collect();
        Table { head, rows: Vec::new() }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, row: impl Into<Vec<Cell>>) {
        let row = row.into();
        debug_assert_eq!(row.len(), self.head.len());
        self.rows.push(row);
    }

    /// The table as text; a table without rows is its head alone.
    pub(crate) fn render(&self, colour: bool) -> String {
        let lines = || std::iter::once(&self.head).chain(&self.rows);
        let width = |column: usize| lines().map(|row| row[column].width()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        let mut text = String::new();
        for row in lines() {
            let last = row.len() - 1;
            let cells = row.iter().enumerate().map(|(column, cell)| {
                let right = self.rows.first().is_some_and(|first| first[column].right);
                let cell = Cell { right: cell.right || right, ..cell.clone() };
                cell.render(widths[column], column == last, colour)
            });
            text.push_str(&cells.collect::<Vec<_>>().join(GAP));
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["NAME", "SIZE", "PHASE"]);
        table.row([
            Cell::text("a"),
            Cell::number(1234567),
            Cell::text("ready").styled(Style::Good),
        ]);
        table.row([Cell::text("compute-0007"), Cell::number(8), Cell::maybe(None::<&str>)]);
        table
    }

    #[test]
    fn columns_are_aligned_and_no_line_ends_in_spaces() {
        let expected = "\
NAME             SIZE  PHASE
a             1234567  ready
compute-0007        8  -
";
        assert_eq!(table().render(false), expected);
    }

    #[test]
    fn colours_do_not_change_the_alignment() {
        let text = table().render(true);
        let second = text.lines().nth(1).unwrap();
        assert_eq!(second, "a             1234567  \x1b[32mready\x1b[0m");
    }

    #[test]
    fn a_cell_is_one_line() {
        let mut table = Table::new(&["A"]);
        table.row([Cell::text("x\ny\x1b[31m")]);
        assert_eq!(table.render(false), "A\nx y\\u{1b}[31m\n");
    }

    #[test]
    fn an_empty_table_is_its_head() {
        assert_eq!(Table::new(&["A", "B"]).render(false), "A  B\n");
    }
}
