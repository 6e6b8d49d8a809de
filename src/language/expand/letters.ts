/** Letter case of bytes: only A to Z, as in the C locale. */

export function lowerCase(text: string): string {
  const lower = text.toLowerCase()
  // toLowerCase also changes U+00C0 to U+00DE, which are bytes of something else here.
  return isAscii(text) ? lower : text.replace(/[A-Z]+/g, (run) => run.toLowerCase())
}

export function upperCase(text: string): string {
  return isAscii(text) ? text.toUpperCase() : text.replace(/[a-z]+/g, (run) => run.toUpperCase())
}

const beyondAscii = /[\x80-\xff]/

function isAscii(text: string): boolean {
  return !beyondAscii.test(text)
}
