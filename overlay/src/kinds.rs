//! Names of the kinds of messages, for those who count them.

/// Gives the variants of an enum of messages names and numbers: `KINDS` and `kind`. A variant that is
/// left out is an error of the compiler.
#[macro_export]
macro_rules! message_kinds {
    ($messages:ident $(<$parameter:ident>)? { $($variant:ident => $name:literal),+ $(,)? }) => {
        impl $(<$parameter>)? $messages $(<$parameter>)? {
            /// The names of all kinds, in the order of their numbers.
            pub const KINDS: &'static [&'static str] = &[$($name),+];

            /// The number of this message's kind.
            #[must_use]
            pub const fn kind(&self) -> usize {
                enum Number { $($variant),+ }
                let number = match self { $(Self::$variant { .. } => Number::$variant),+ };
                number as usize
            }
        }
    };
}
