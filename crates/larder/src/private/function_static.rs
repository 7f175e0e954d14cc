//! A static of each cached function.

/// The function that it stands in, by its name, with what its keys look like.
#[doc(hidden)]
#[macro_export]
macro_rules! __function {
    ($name:literal, $form:expr) => {{
        static FUNCTION: $crate::private::Function = $crate::private::Function::new(
            ::core::concat!(::core::module_path!(), "::", $name),
            (::core::file!(), ::core::line!()),
            $form,
        );
        FUNCTION.site(|| ())
    }};
}

/// What a look-up found, which the function returns, or else the call that goes on.
#[doc(hidden)]
#[macro_export]
macro_rules! __or_return {
    ($found:expr) => {
        match $found {
            ::core::result::Result::Ok(__value) => return __value,
            ::core::result::Result::Err(__call) => __call,
        }
    };
}
