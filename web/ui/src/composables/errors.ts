import { useI18n } from 'vue-i18n'
import { ApiError, asApiError } from '@/api/client'

/** Words for what the server said: `errors.<code>` with the facts of the answer as parameters. */
export function useErrorText() {
  const { t, te } = useI18n()

  const codeText = (code: string, facts: Record<string, unknown> = {}): string => {
    const by = facts.by as { number?: string; name?: string } | undefined
    const named = { ...facts, by: by ? `${by.number ?? ''} ${by.name ?? ''}`.trim() : t('errors.someone') }
    return te(`errors.${code}`) ? t(`errors.${code}`, named) : t('errors.unknown', { code })
  }
  const errorText = (problem: unknown): string => {
    const error: ApiError = asApiError(problem)
    return codeText(error.code, error.facts)
  }
  return { errorText, codeText }
}
