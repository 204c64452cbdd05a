import type { Feature } from './features'

const found = import.meta.glob<{ default: Feature }>('../features/*/index.ts', { eager: true })
export const features: Feature[] = Object.keys(found).sort().map((path) => found[path].default)
