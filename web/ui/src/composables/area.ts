import type { Area } from '@/api/types'

/** 广东·广州; a municipality is said once. */
export function areaText(area: Area | null | undefined): string {
  if (!area) return ''
  const parts = area.province === area.city ? [area.city] : [area.province, area.city]
  return parts.filter(Boolean).join('·')
}
