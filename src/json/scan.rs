//! The checking reader: one pass, with a fixed stack of open objects and arrays, without recursion. This
//! file also has the iterators over the members and elements of text that it has checked.

#[cfg(feature = "envelope")]
use core::ops::Range;

use heapless::Vec;

use super::cursor::Cursor;
use crate::{
    names::{MAX_DEPTH, Malformed, Names, distinct},
    text::Text,
};

/// Reads a JSON object member by member. When [`next`](Self::next) has returned true, the reader is in front of a
/// value, and one of the other functions must pass that value.
///
/// It is the only JSON reader in the program. It checks everything that it passes: grammar, strings, depth, duplicate
/// names.
pub(crate) struct Reader<'t> {
    cursor: Cursor<'t>,
    /// The array or object around the cursor.
    level: Level,
    around: Vec<Level, MAX_DEPTH>,
    /// Whether the cursor is right behind an opening bracket.
    first: bool,
    /// The name of the current member.
    name: Text<'t>,
}

impl<'t> Reader<'t> {
    /// A reader in front of an outermost value.
    pub(crate) const fn new(cursor: Cursor<'t>) -> Self {
        Self { cursor, level: Level::ARRAY, around: Vec::new(), first: false, name: Text::plain(&[]) }
    }

    /// A reader in front of a value that is, or will be, inside claims or a body. The value counts as one level deep.
    pub(crate) fn within(cursor: Cursor<'t>) -> Self {
        let mut reader = Self::new(cursor);
        // This only counts the level. There is room for it.
        let _ = reader.around.push(Level::ARRAY);
        reader
    }

    /// Opens the object that must be the whole text.
    pub(crate) fn outermost(&mut self) -> Result<(), Malformed> {
        self.cursor.token();
        self.open(b'{')
    }

    /// Where the cursor is.
    pub(crate) const fn place(&self) -> usize {
        self.cursor.at
    }

    /// The next byte; 0 at the end.
    pub(crate) fn peek(&self) -> u8 {
        self.cursor.peek().unwrap_or(0)
    }

    /// The name of the member whose value comes next.
    pub(crate) const fn name(&self) -> Text<'t> {
        self.name
    }

    /// Opens the array or object that must come next.
    pub(crate) fn open(&mut self, bracket: u8) -> Result<(), Malformed> {
        if self.peek() != bracket {
            return Err(Malformed);
        }
        self.around.push(self.level).map_err(|_| Malformed)?;
        self.cursor.advance();
        self.level = if bracket == b'{' { Level::object(self.cursor.at)? } else { Level::ARRAY };
        self.first = true;
        Ok(())
    }

    /// Goes to the next value of the innermost array or object. At its end, closes it and returns false.
    pub(crate) fn next(&mut self) -> Result<bool, Malformed> {
        let first = core::mem::take(&mut self.first);
        let token = self.cursor.token();
        if token == b',' && !first {
            self.cursor.advance();
            self.cursor.token();
        } else if token == self.level.closing() {
            if self.level.names.may_repeat() {
                self.compare_names()?;
            }
            self.cursor.advance();
            self.level = self.around.pop().ok_or(Malformed)?;
            return Ok(false);
        } else if !first {
            return Err(Malformed);
        }
        if self.level.is_object() {
            self.name = self.cursor.string()?;
            self.level.names.add(self.name);
            if self.cursor.peek() != Some(b':') && self.cursor.token() != b':' {
                return Err(Malformed);
            }
            self.cursor.advance();
            self.cursor.token();
        }
        Ok(true)
    }

    /// Refuses the object that ends here if a name occurs twice.
    ///
    /// Not inlined: [`distinct`] needs much stack.
    #[cold]
    #[inline(never)]
    fn compare_names(&self) -> Result<(), Malformed> {
        let Cursor { text, at } = self.cursor;
        let members = Cursor { text: text.get(..at).unwrap_or_default(), at: self.level.members_at() };
        let len = at.wrapping_sub(members.at);
        distinct(NamesOf(members), len)
    }

    /// Passes a string. Returns whether it has escapes.
    pub(crate) fn string(&mut self) -> Result<bool, Malformed> {
        self.cursor.pass_string()
    }

    /// Passes an integer.
    pub(crate) fn integer(&mut self) -> Result<i64, Malformed> {
        self.cursor.integer()
    }

    /// Passes any value.
    pub(crate) fn skip(&mut self) -> Result<(), Malformed> {
        let depth = self.around.len();
        loop {
            match self.peek() {
                bracket @ (b'{' | b'[') => self.open(bracket)?,
                b'"' => drop(self.string()?),
                b'a'..=b'z' => self.cursor.literal()?,
                _ => self.cursor.number()?,
            }
            // Closes everything that ends here, up to the next value.
            loop {
                if self.around.len() == depth {
                    return Ok(());
                }
                if self.next()? {
                    break;
                }
            }
        }
    }

    /// Checks that nothing follows.
    pub(crate) fn end(&mut self) -> Result<(), Malformed> {
        self.cursor.token();
        if self.cursor.at == self.cursor.text.len() { Ok(()) } else { Err(Malformed) }
    }
}

/// Iterates over the names of the members of an object that has been passed.
#[derive(Clone)]
struct NamesOf<'t>(Cursor<'t>);

impl<'t> Iterator for NamesOf<'t> {
    type Item = Text<'t>;

    fn next(&mut self) -> Option<Text<'t>> {
        let mut depth = 0_usize;
        loop {
            // The bit that distinguishes brackets from braces does not matter here.
            match self.0.peek()? | b' ' {
                b'"' => {
                    let string = self.0.string().ok()?;
                    // A colon only follows a name.
                    if depth == 0 && self.0.token() == b':' {
                        return Some(string);
                    }
                    continue;
                }
                b'{' => depth = depth.wrapping_add(1),
                b'}' => depth = depth.wrapping_sub(1),
                _ => {}
            }
            self.0.advance();
        }
    }
}

#[cfg(feature = "envelope")]
impl Reader<'_> {
    /// Passes any value, and returns its place.
    pub(crate) fn value(&mut self) -> Result<Range<usize>, Malformed> {
        let start = self.cursor.at;
        self.skip()?;
        Ok(start..self.cursor.at)
    }
}

/// An object or array around the cursor.
#[derive(Clone, Copy)]
struct Level {
    /// Where the members of an object start. For an array 0, where no member can start.
    members_at: u32,
    names: Names,
}

impl Level {
    const ARRAY: Self = Self { members_at: 0, names: Names::NONE };

    fn object(members_at: usize) -> Result<Self, Malformed> {
        let members_at = u32::try_from(members_at).map_err(|_| Malformed)?;
        Ok(Self { members_at, names: Names::NONE })
    }

    const fn is_object(&self) -> bool {
        self.members_at != Self::ARRAY.members_at
    }

    const fn closing(&self) -> u8 {
        if self.is_object() { b'}' } else { b']' }
    }

    fn members_at(&self) -> usize {
        usize::try_from(self.members_at).unwrap_or(usize::MAX)
    }
}

/// The members of an object, or of the start of one: names and values.
///
/// Each step takes time linear in the length of the value.
#[derive(Debug, Clone)]
pub(crate) struct Members<'t> {
    rest: &'t [u8],
}

impl<'t> Members<'t> {
    /// `text` must start at the first member's name or at the opening brace.
    pub(crate) fn new(text: &'t [u8]) -> Self {
        Self { rest: text }
    }
}

impl<'t> Iterator for Members<'t> {
    type Item = (Text<'t>, &'t [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let mut cursor = Cursor::new(self.rest);
        cursor.skip_to(b'"')?;
        let name = cursor.string().ok()?;
        cursor.skip_to(b':')?;
        cursor.advance();
        let value = cursor.pass_value()?;
        self.rest = cursor.rest();
        Some((name, value))
    }
}

/// The elements of an array.
#[derive(Debug, Clone)]
pub(crate) struct Elements<'t> {
    rest: &'t [u8],
}

impl<'t> Elements<'t> {
    /// `text` must start at the opening bracket.
    pub(crate) fn new(text: &'t [u8]) -> Self {
        Self { rest: text }
    }
}

impl<'t> Iterator for Elements<'t> {
    type Item = &'t [u8];

    fn next(&mut self) -> Option<Self::Item> {
        let mut cursor = Cursor::new(self.rest);
        // Passes the opening bracket or the comma before the element.
        if !matches!(cursor.token(), b'[' | b',') {
            return None;
        }
        cursor.advance();
        if cursor.token() == b']' {
            return None;
        }
        let value = cursor.pass_value()?;
        self.rest = cursor.rest();
        Some(value)
    }
}
