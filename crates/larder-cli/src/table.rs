//! Columns that stand below each other.

use unicode_width::UnicodeWidthStr;

/// Where the text of a column stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// Lays rows out, the first of them being the head. The last column is as wide as it likes.
pub(crate) fn aligned(columns: &[Align], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.width()).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..columns.len()).map(width).collect();
    let mut text = String::new();
    for row in rows {
        text.push_str(&line(columns, &widths, row));
        text.push('\n');
    }
    text
}

/// One row in columns of these widths.
pub(crate) fn line(columns: &[Align], widths: &[usize], row: &[String]) -> String {
    let mut line = String::new();
    for (index, cell) in row.iter().enumerate() {
        if index > 0 {
            line.push_str("  ");
        }
        let room = widths.get(index).map_or(0, |width| width.saturating_sub(cell.width()));
        let space = " ".repeat(room);
        match columns.get(index) {
            Some(Align::Right) => line.extend([&space, cell.as_str()]),
            _ => line.extend([cell.as_str(), &space]),
        }
    }
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other() {
        let rows = [["SIZE", "KEY"], ["9 B", "a"], ["1.5 KiB", "日本"]];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(aligned(&[Align::Right, Align::Left], &rows), "   SIZE  KEY\n    9 B  a\n1.5 KiB  日本\n");
        let rows = [["日本", "x"], ["abcde", "y"]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(aligned(&[Align::Left, Align::Left], &rows), "日本   x\nabcde  y\n");
    }
}
