import { defineComponent, onScopeDispose } from 'vue'
import { useSession } from '@/app/session'
import { useOverdue } from '../store'

/** Shows nothing: keeps the red counter of the menu up to date for those who may reassign. */
export default defineComponent({
  name: 'OverdueLive',
  setup() {
    const overdue = useOverdue()
    if (useSession().may('tasks.reassign')) overdue.start()
    onScopeDispose(() => overdue.stop())
    return () => null
  },
})
