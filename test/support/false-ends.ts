/**
 * What published attacks send in place of the end of data, each before a forged transaction. None of them may end
 * the message: the only end is CRLF, dot, CRLF.
 */
export const falseEnds = [
  '\n.\n',
  '\n.\r\n',
  '\r\n.\n',
  '\r.\r',
  '\r.\r\n',
  '\r\n.\r',
  '\r.\n',
  '\n.\r',
  '\r\n.\r\r\n',
  '\r\r\n.\r\r\n',
  '\r\n\0.\r\n',
  '\r\n.\0\r\n',
  '\0\r\n.\0\r\n',
  '\r\n. \r\n',
  '\r\n.\t\r\n',
  '\r\n..\r\n',
  '\r\n.\x0b\r\n',
  '\r\n.\x85\r\n',
  '\r\n\xe2\x80\xa8.\r\n',
  '\n\n.\n\n',
  '\r\n\r.\r\n',
  '\r\n.\n\r\n',
  '\r\n.\r\x00\n',
  '\n\r.\n\r',
] as const
