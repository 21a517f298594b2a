//! What a response costs: dated prices per model, and the card that applies to one response. Pure: no I/O, no clock,
//! no network. Money is integer pico-dollars throughout; USD per million tokens × 10^6 is pico-dollars per token.

mod card;
mod model_id;
mod row;
mod table;

pub use card::{Card, ModelPrices, SEARCH};
pub use model_id::{ModelId, normalise};
pub use row::{Confidence, Day, LongContext, Multiplier, Price, PriceRow};
pub use table::{PriceError, PriceTable};
