/** Which Postern this is, and the Exim whose language it speaks. */

/** Postern's own version, as package.json has it; a test compares them. */
export const posternVersion = '0.1.0'

/** `$version_number`, and what `-bV` says when called as exim. */
export const eximVersion = '4.99'
