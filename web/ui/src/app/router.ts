import { createRouter, createWebHistory, type RouteRecordRaw } from 'vue-router'
import { features } from './collected'
import { usePhone } from '@/live/phone'
import { useSession } from './session'
import { useTabs } from './tabs'
import { homeOf } from './menu'

const routes: RouteRecordRaw[] = [
  { path: '/', name: 'home', component: () => import('./pages/Home.vue') },
  ...features.flatMap((feature) => feature.routes ?? []),
  { path: '/no-permission', name: 'no-permission', component: () => import('./pages/NotAllowed.vue'), meta: { title: 'state.noPermission' } },
  { path: '/:rest(.*)*', name: 'not-found', component: () => import('./pages/NotFound.vue'), meta: { title: 'state.notFound' } },
]

export const router = createRouter({ history: createWebHistory('/'), routes })

router.beforeEach(async (to) => {
  const session = useSession()
  if (!session.asked) await session.load().catch(() => undefined)
  if (to.meta.public) return true
  if (!session.session) return { path: '/login', query: to.path === '/' ? {} : { next: to.fullPath } }
  if (to.name === 'home') return homeOf(session.session)
  if (to.meta.allow && !to.meta.allow(session.session)) return { name: 'no-permission', query: { page: to.fullPath } }
  if (to.meta.bare) return true
  return useTabs().enter(to, to.meta.call === true && usePhone().inCall)
})
