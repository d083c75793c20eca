//! The form of most error types: one sentence for each kind of failure.

/// Gives an error type its `Display` and `Error`: one sentence, or one for each variant.
macro_rules! sentences {
    ($error:ident, $sentence:literal) => {
        impl core::fmt::Display for $error {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str($sentence)
            }
        }

        impl core::error::Error for $error {}
    };
    ($error:ident, $($variant:ident: $sentence:literal),+ $(,)?) => {
        impl core::fmt::Display for $error {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(match self {
                    $(Self::$variant => $sentence,)+
                })
            }
        }

        impl core::error::Error for $error {}
    };
}

pub(crate) use sentences;
