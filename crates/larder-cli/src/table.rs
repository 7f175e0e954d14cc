//! Columns that stand below each other.

use unicode_width::UnicodeWidthStr;

/// Where the text of a column stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// A table: the first row is the head.
#[derive(Debug, Clone)]
pub(crate) struct Rows {
    pub(crate) columns: Vec<Align>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Rows {
    /// As many of the columns as there is room for: of those that are named here, the first one is left out first.
    pub(crate) fn fitting(mut self, room: usize, expendable: &[&str]) -> Self {
        for name in expendable {
            if self.width() <= room {
                break;
            }
            let Some(column) = self.rows.first().and_then(|head| head.iter().position(|cell| cell == name))
            else {
                continue;
            };
            self.columns.remove(column);
            self.rows.iter_mut().for_each(|row| drop(row.remove(column)));
        }
        self
    }

    /// Of its longest line.
    pub(crate) fn width(&self) -> usize {
        let text = aligned(&self.columns, &self.rows);
        text.lines().map(UnicodeWidthStr::width).max().unwrap_or(0)
    }
}

/// The first of several ways to say something that there is room for, or the last one.
pub(crate) fn first_fitting<const N: usize>(ways: [String; N], room: usize) -> String {
    let fits = ways.iter().position(|way| way.width() <= room);
    ways.into_iter().nth(fits.unwrap_or(N - 1)).unwrap_or_default()
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
    fn columns_are_left_out_where_there_is_no_room() {
        let rows = [["SIZE", "TTL", "KEY"], ["1.5 KiB", "1h 2m", "user:7"]];
        let rows = Rows {
            columns: vec![Align::Left; 3],
            rows: rows.map(|row| row.map(str::to_owned).to_vec()).into(),
        };
        let at = |room| rows.clone().fitting(room, &["NONE", "TTL", "SIZE"]).rows[0].join(" ");
        assert_eq!([22, 21, 15, 14].map(at), ["SIZE TTL KEY", "SIZE KEY", "SIZE KEY", "KEY"]);
        let say = |room| first_fitting(["日本語".to_owned(), "日本".to_owned(), "日".to_owned()], room);
        assert_eq!([6, 5, 4, 1].map(say), ["日本語", "日本", "日本", "日"]);
    }

    #[test]
    fn columns_stand_below_each_other() {
        let rows = [["SIZE", "KEY"], ["9 B", "a"], ["1.5 KiB", "日本"]];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(aligned(&[Align::Right, Align::Left], &rows), "   SIZE  KEY\n    9 B  a\n1.5 KiB  日本\n");
        let rows = [["日本", "x"], ["abcde", "y"]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(aligned(&[Align::Left, Align::Left], &rows), "日本   x\nabcde  y\n");
    }
}
