/** Smaller forms of dialogues, and what differences of one kind have in common. */

/** A case is a line of settings between `;`, and the lines of the client. */
export function withoutLines(input: string): string[] {
  const [first = '', ...lines] = input.split('\n')
  const settings = first.split(';')
  const without = <T>(all: readonly T[], at: number, count: number): T[] => [
    ...all.slice(0, at),
    ...all.slice(at + count),
  ]
  const forms: string[] = []
  for (const count of [8, 4, 2, 1])
    for (let at = 0; at + count <= lines.length; at += count)
      forms.push([first, ...without(lines, at, count)].join('\n'))
  for (let at = 1; at < settings.length; at++)
    forms.push([without(settings, at, 1).join(';'), ...lines].join('\n'))
  return forms
}

/** Where the answers part, without what stands between brackets. */
export function differingLines(ours: string, exims: string): string {
  const [a, b] = [ours.split('\n'), exims.split('\n')]
  const at = a.findIndex((line, i) => line !== b[i])
  return JSON.stringify([a[at], b[at]].map((line) => line?.replaceAll(/<[^>]*>/g, '<>').slice(0, 40)))
}

/** Why two answers may differ. */
export interface Reason {
  readonly why: string
  /** Cases that may differ: in anything, or in what `even` makes alike. */
  readonly when?: RegExp
  /** What Exim's answer holds then. */
  readonly theirs?: RegExp
  /** Makes both alike where they may differ. */
  readonly even?: (text: string) => string
}

/** The reason, or reasons, why the answers may differ; undefined: they may not. */
export function meantBy(
  reasons: readonly Reason[],
  input: string,
  ours: string,
  exims: string,
): string | undefined {
  const excused = reasons.find(
    ({ when, theirs, even }) =>
      even === undefined && when?.test(input) !== false && theirs?.test(exims) !== false,
  )
  let [a, b] = [ours, exims]
  const used: string[] = []
  for (const { why, when, even } of reasons) {
    if (even === undefined || when?.test(input) === false) continue
    const [evenA, evenB] = [even(a), even(b)]
    if (evenA === a && evenB === b) continue
    if ((a === b) !== (evenA === evenB) || a.length - b.length !== evenA.length - evenB.length) used.push(why)
    ;[a, b] = [evenA, evenB]
  }
  return a === b ? (used.at(-1) ?? reasons.find(({ even }) => even !== undefined)?.why) : excused?.why
}

const linesWith =
  (lines: RegExp, change: (line: string) => string) =>
  (text: string): string =>
    text
      .split('\n')
      .map((line) => (lines.test(line) ? change(line) : line))
      .join('\n')

const without =
  (what: RegExp) =>
  (text: string): string =>
    text.replaceAll(what, '')

/** Of dialogues on standard input and over TCP. */
export const dialogueReasons: readonly Reason[] = [
  {
    why: 'All RCPT commands were rejected: always told',
    even: without(/^503-All RCPT commands were rejected with this error:\n503-.*\n/gm),
  },
  {
    why: 'spaces in what was read as parameters are shown as they came, not as =',
    even: linesWith(/^50[13][ -]|SMTP syntax error in|may not follow/, (line) =>
      line.replaceAll(/[ =\t]+/g, ' ').trimEnd(),
    ),
  },
  {
    why: 'the place in a message that broke off after a first line that is no header',
    even: without(/ \((?:after )?header\)$/gm),
  },
  {
    why: 'a name in HELO that is refused leaves the one before it',
    when: /^[EH][EH]LO[^]*^[EH][EH]LO/im,
    even: without(/ helo=<[^>]*>/g),
  },
  {
    why: 'an ACL for DATA that holds a control for others: the log tells which',
    even: without(/: cannot use "control=[^"]*" in DATA ACL$/gm),
  },
  { why: 'EXPN shows all addresses alike', when: /^EXPN/im, even: without(/[<>]/g) },
  {
    why: 'an address in brackets is shown as it came',
    when: /^[EH][EH]LO \[/im,
    even: linesWith(/rejected EHLO or HELO \[/, (line) => line.toLowerCase()),
  },
  {
    why: 'a space within the argument of MAIL or RCPT is no =',
    when: /^(?:MAIL|RCPT).*[^ \n] +[^ =\n]+ *$|^(?:MAIL +FROM|RCPT +TO) *:.*(?:, @| :)/im,
  },
  {
    why: '$message_size and $recipients_count after a message that was refused',
    even: linesWith(/ (?:quit|helo|vrfy|mail): sa=/, (line) =>
      line.replace(/ ms=<\d*>/, ' ms=<-1>').replace(/ rs=<\d+>/, ' rs=<0>'),
    ),
  },
  { why: 'an empty name in HELO from a host that may say anything', when: /^[EH][EH]LO *$/im },
  {
    why: 'a parameter with a bad or no value behind another',
    when: /^MAIL[^=\n]*(?:=\S*)?\s+(?:\S+(?:=\S*)?\s+)?(?:SIZE=(?:\d*[^\d\s]\S*)?|BODY=\S*|AUTH=\S*|\S+=) *$/im,
  },
  {
    why: 'early input is shown beyond a NUL',
    even: linesWith(/next input=/, (line) => line.replace(/(?:\\000.*)?"$/, '"')),
  },
  {
    why: 'a NUL in a command that is one error too many',
    even: (text) => text.replaceAll(/^501-(NUL .*)\n501 Too many.*$/gm, '501 $1'),
  },
  { why: 'the process ends', theirs: /SIGSEGV/ },
  { why: 'a size that no disk has', when: /;message_size_limit = 0[^]*SIZE=\d{10}/i },
  { why: 'a header of BDAT that ends with LF', theirs: /Non-CRLF-terminated header, under CHUNKING/ },
  { why: 'LF ends a header', when: /^&?X-Lf: /im },
  {
    why: 'RSET forgets that recipients were discarded',
    when: /^&?RCPT TO: *<gone@[^]*^&?RSET[^]*^&?(?:DATA|BDAT)/im,
  },
  { why: 'BDAT with more than a number', when: /^&?BDAT[ \t]+\d+[^\d\s]/im },
  { why: 'NOTIFY twice, once without a value', when: /NOTIFY(?:=\S*)?[ \t].*NOTIFY/i },
  { why: 'a colon after a route that has its colon', when: /@[\w.]+:[^>\n]*:/ },
  {
    why: 'the log tells of PRDR when recipients were asked for',
    even: (text) => text.replaceAll(/ PRDR S=/g, ' S='),
  },
  {
    why: 'a CR in a command is shown',
    even: linesWith(/SMTP (?:syntax|protocol)/, (line) => line.replaceAll(/\r|\\r/g, '')),
  },
  {
    why: 'a message by BDAT that breaks off',
    when: /^&?BDAT[ \t]+\d+ *$/im,
    theirs: /^421 Lost incoming connection/m,
  },
  { why: 'EHLO that is refused after HELO', when: /^HELO[^]*^EHLO/im },
  { why: 'a parameter with a bad value before another', when: /^MAIL.* SIZE=(?!\d+(?:\s|$)).*=/im },
  { why: 'EXPN of what is no address', when: /^EXPN/im, theirs: /^553 .*is undeliverable/m },
  {
    why: 'a tab after a verb is borne with, and is no end of the name of HELO',
    when: /^(?:HELO|EHLO|VRFY|EXPN|ETRN|AUTH|NOOP|HELP|RSET|DATA)\t|^[EH][EH]LO .*\t/im,
  },
  { why: 'a parameter without a value before another', when: /^MAIL.*= *$/im },
  { why: 'after HELO nothing is offered', when: /^EHLO[^]*^HELO[^]*^(?:BDAT|AUTH|RCPT|MAIL|&)/im },
  { why: 'XCLIENT is known', when: /^XCLIENT/im },
  { why: 'domain literals outside brackets', when: /^(?:MAIL|RCPT|VRFY|EXPN)[^<\n]*@\[/im },
  { why: 'QUIT between chunks', when: /^&?BDAT[ \t]+\d+ *\n[^]*^&?QUIT/im },
  { why: 'excess angle brackets: what is wrong', when: /;strip_excess_angle_brackets[^]*<</ },
]
