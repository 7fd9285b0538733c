//! salt_version: the release of Salt that trees are written for, by its code name.

use std::cmp::Ordering;

use minijinja::Error;
use minijinja::value::Value;

use super::{Call, Function, reads};

/// This module's functions.
pub(super) const ALL: &[Function] = &[
    reads("salt_version.get_release_number", "name", |call| {
        if call.must("name").as_str().is_none() {
            return Err(call.fail("'name' argument must be a string"));
        }
        Ok(number(&call.text("name")).map_or_else(|| Value::from(()), Value::from))
    }),
    reads("salt_version.equal", "name", |call| is(call, Ordering::Equal)),
    reads("salt_version.greater_than", "name", |call| is(call, Ordering::Greater)),
    reads("salt_version.less_than", "name", |call| is(call, Ordering::Less)),
];

/// The release whose states these are.
const OWN: f64 = 3008.0;

/// Releases that have the time in their number.
const DATED: [(&str, &str); 9] = [
    ("hydrogen", "2014.1"),
    ("helium", "2014.7"),
    ("lithium", "2015.5"),
    ("beryllium", "2015.8"),
    ("boron", "2016.3"),
    ("carbon", "2016.11"),
    ("nitrogen", "2017.7"),
    ("oxygen", "2018.3"),
    ("fluorine", "2019.2"),
];

/// Those after them, which are counted from 3000, were and will be named by the elements.
const COUNTED: &str = "\
    neon sodium magnesium aluminium silicon phosphorus sulfur chlorine argon potassium \
    calcium scandium titanium vanadium chromium manganese iron cobalt nickel copper \
    zinc gallium germanium arsenic selenium bromine krypton rubidium strontium yttrium \
    zirconium niobium molybdenum technetium ruthenium rhodium palladium silver cadmium \
    indium tin antimony tellurium iodine xenon cesium barium lanthanum cerium \
    praseodymium neodymium promethium samarium europium gadolinium terbium dysprosium \
    holmium erbium thulium ytterbium lutetium hafnium tantalum tungsten rhenium osmium \
    iridium platinum gold mercury thallium lead bismuth polonium astatine radon \
    francium radium actinium thorium protactinium uranium neptunium plutonium \
    americium curium berkelium californium einsteinium fermium mendelevium nobelium \
    lawrencium rutherfordium dubnium seaborgium bohrium hassium meitnerium \
    darmstadtium roentgenium copernicium nihonium flerovium moscovium livermorium \
    tennessine oganesson";

fn number(name: &str) -> Option<String> {
    let name = name.to_lowercase();
    let dated = DATED.iter().find(|(known, _)| *known == name);
    let counted = || COUNTED.split(' ').position(|known| known == name);
    dated
        .map(|(_, number)| (*number).to_owned())
        .or_else(|| counted().map(|at| (3000 + at).to_string()))
}

/// How the own release stands to a named one; to one that nobody knows it stands in no way.
fn is(call: &Call<'_>, wanted: Ordering) -> Result<Value, Error> {
    if call.must("name").as_str().is_none() {
        return Err(call.fail("'name' argument must be a string"));
    }
    let other = number(&call.text("name")).and_then(|number| number.parse::<f64>().ok());
    Ok(Value::from(other.and_then(|other| OWN.partial_cmp(&other)) == Some(wanted)))
}
