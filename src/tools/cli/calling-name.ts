/** Names under which the program answers as Exim would. */

/** Called as postern, the first line of `-bV` names Postern; under any other name it is Exim's form. */
export function calledAsExim(name: string): boolean {
  return name !== 'postern'
}
