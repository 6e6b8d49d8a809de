/** Headers that only mailing lists write: such mail is neither personal nor answered. Source: RFC 2369, RFC 2919. */
export const listHeaders: ReadonlySet<string> = new Set([
  'list-id',
  'list-help',
  'list-subscribe',
  'list-unsubscribe',
  'list-post',
  'list-owner',
  'list-archive',
])
