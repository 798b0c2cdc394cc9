//! What lines need of each ingredient, and whether there is a right to sell it.

use crate::domain::id::{IngredientId, LineId};
use crate::domain::pricing::PricedLine;
use std::collections::BTreeMap;

/// An ingredient that does not suffice, and the first line that fails for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} needs {needed} of {ingredient}, and there is {left}")]
pub struct Shortfall {
    /// Counted from zero, as it was sent.
    pub line: usize,
    /// Its id.
    pub line_id: LineId,
    /// What is short.
    pub ingredient: IngredientId,
    /// What this line needs, in the ingredient's unit.
    pub needed: u64,
    /// What is left for it after the lines before it.
    pub left: u64,
}

/// Sums what lines use, one entry an ingredient.
pub fn needs<'a>(lines: impl IntoIterator<Item = &'a PricedLine>) -> BTreeMap<IngredientId, u64> {
    let mut sum: BTreeMap<IngredientId, u64> = BTreeMap::new();
    for used in lines.into_iter().flat_map(|line| &line.uses) {
        let entry = sum.entry(used.ingredient).or_default();
        *entry = entry.saturating_add(used.amount);
    }
    sum
}

/// What these lines use, or the first that there is no right to sell (SPEC S2). `rights` answers `None` for what is not enforced.
pub fn check(
    lines: &[PricedLine],
    rights: impl Fn(&IngredientId) -> Option<u64>,
) -> Result<BTreeMap<IngredientId, u64>, Shortfall> {
    let mut sum: BTreeMap<IngredientId, u64> = BTreeMap::new();
    for (at, line) in lines.iter().enumerate() {
        for used in &line.uses {
            let before = sum.get(&used.ingredient).copied().unwrap_or(0);
            let after = before.saturating_add(used.amount);
            if let Some(rights) = rights(&used.ingredient)
                && after > rights
            {
                return Err(Shortfall {
                    line: at,
                    line_id: line.id,
                    ingredient: used.ingredient,
                    needed: used.amount,
                    left: rights.saturating_sub(before),
                });
            }
            sum.insert(used.ingredient, after);
        }
    }
    Ok(sum)
}
