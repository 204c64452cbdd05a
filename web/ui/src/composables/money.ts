/** ¥1,240.50 of fen; a minus before the sign; nothing for no amount. */
export const yuan = (fen: number | null | undefined): string =>
  fen === null || fen === undefined ? '' : `${fen < 0 ? '-' : ''}¥${(Math.abs(fen) / 100).toLocaleString('en', { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`
