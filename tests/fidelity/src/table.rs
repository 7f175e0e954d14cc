//! How rows are written.

/// Rows: `"name": Type = [values] => expected;`, where [`SAME`](crate::row::SAME) need not be said. After `concrete`, larder knows the
/// type as what it is; that takes a second to compile.
#[macro_export]
macro_rules! table {
    ($vis:vis fn $function:ident;
        $($($concrete:ident)? $name:literal: $type:ty = [$($value:expr),* $(,)?] $(=> $expected:expr)?;)*) => {
        $vis fn $function() -> Vec<$crate::Row> {
            vec![$($crate::row_of!(
                $($concrete)? $type,
                $name,
                || vec![$($value),*],
                $crate::expected!($($expected)?)
            )),*]
        }
    };
}

/// A row, by how larder knows its type.
#[macro_export]
macro_rules! row_of {
    (concrete $type:ty, $name:literal, $values:expr, $expected:expr) => {
        $crate::concrete::row::<$type>(
            $name,
            $values,
            $expected,
            $crate::access!($type),
            $crate::traits!($type),
        )
    };
    ($type:ty, $name:literal, $values:expr, $expected:expr) => {
        $crate::erased::row::<$type>($name, $values, $expected, $crate::traits!($type))
    };
}

/// What is expected of a row.
#[macro_export]
macro_rules! expected {
    () => {
        $crate::row::SAME
    };
    ($expected:expr) => {
        $expected
    };
}
