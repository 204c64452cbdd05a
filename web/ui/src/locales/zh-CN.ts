export default {
  app: {
    name: '坐席', demo: '演示数据', search: '搜索', shortcuts: '快捷键', language: '语言', zh: '中', en: 'EN', theme: '深浅色', signOut: '退出', main: '工作区',
  },
  menu: {
    main: '主菜单', find: '菜单 / 拼音首字母', none: '没有这个菜单', collapse: '收起菜单', expand: '展开菜单',
    calls: '来电处理', tasks: '任务中心', support: '服务支撑', reports: '业务报表', recordings: '录音管理', live: '实时监控', me: '我的信息', studio: '流程中心', admin: '系统管理',
  },
  tabs: {
    list: '已打开的页面', dirty: '有未提交草稿', close: '关闭', limit: '最多 5 个标签', fullTitle: '最多 5 个标签',
    fullPropose: '已开 5 个标签。关闭最久未用的「{name}」(无草稿), 或另选一个。', fullChoose: '已开 5 个标签, 都有未提交内容。选一个代替, 草稿会保存。', replace: '代替 {name}',
  },
  notice: { title: '公告', all: '显示全部', allCount: '全部 {n} 条', none: '没有公告', level: { urgent: '紧急', normal: '通知' } },
  offline: {
    title: '已断线 {time}', what: '电话仍可用, 输入存在本机, 连上后自动提交', next: '第 {n} 次重连, {s} 秒后', trying: '正在重连', now: '立即重连', stale: '数据停在 {time}',
  },
  status: { number: '工号 {number}', extension: '分机 {extension}', up: '已连接', upMs: '已连接 {ms} ms', down: '未连接' },
  state: {
    failed: '没有取到', trace: '追踪号 {trace}', noPermission: '无权限', noPermissionWhy: '这一页不在你的角色范围内。', needs: '须有权限: {needs}。', whoGrants: '可批: {who}',
    notFound: '没有这一页', notFoundWhy: '地址可能已改, 或内容已删除', home: '回首页', loading: '加载中',
  },
  act: { retry: '重试', close: '关闭', cancel: '取消', ok: '确定', save: '保存', undo: '撤销', copy: '复制', more: '更多', back: '返回', refresh: '刷新' },
  table: { empty: '没有记录', selectAll: '全选', selectRow: '选中此行' },
  conflict: { kept: '你的文字没有丢', theirs: '已生效 · {by}', mine: '你的草稿 {at}', copy: '复制我的文字', discard: '放弃' },
  sla: { none: '无期限', over: '超时 {time}', left: '剩 {time}' },
  priority: { 1: '急', 2: '高', 3: '普', 4: '低' },
  agent: { talk: '通话', ring: '振铃', wrap: '整理', hold: '保持', idle: '示闲', busy: '示忙', rest: '小休', out: '签出' },
  time: {
    tomorrow: '明天 {time}', yesterday: '昨天 {time}', seconds: '{n} 秒', ago: '{time} 前',
    weekday: { 0: '周日', 1: '周一', 2: '周二', 3: '周三', 4: '周四', 5: '周五', 6: '周六' },
  },
  keys: { find: '找菜单', list: '快捷键一览', tab: '切换标签', undo: '撤销', hold: '(长按)' },
  role: {
    agent: '坐席', team_leader: '组长', supervisor: '主管', manager: '经理', director: '总监', analyst: '流程分析员', clinic: '医馆', pharmacy: '药房', finance: '财务', admin: '管理员', system: '系统',
  },
  form: {
    saved: '草稿已存 {time}', savedLocal: '草稿存在本机 {time}', saving: '草稿待存', restored: '已恢复草稿 {time}', required: '必填', choose: '选择', none: '无', yes: '是', no: '否', more: '更多',
    problems: '{n} 项要改', noOptions: '没有可选项', optionsFailed: '选项没有取到', add: '添加', remove: '删除', search: '输入工号或姓名',
    error: {
      required: '必填', type: '格式不对', enum: '不在可选范围', const: '取值不对', format: '格式不对', pattern: '格式不对', minLength: '太短', maxLength: '太长', minimum: '太小', maximum: '太大',
      minItems: '太少', maxItems: '太多', uniqueItems: '有重复', oneOf: '取值不对', anyOf: '取值不对', additionalProperties: '多余的字段', not: '取值不对', oneNeeded: '至少填一项', other: '不对',
    },
  },
  task: { completed: '已完成: {title}', undone: '已撤销, 任务回到待办' },
  diagram: { label: '流程图', now: '当前', left: '剩 {time}', over: '超时 {time}', incidents: '异常 {n}', loading: '流程图加载中', failed: '流程图没有取到', fit: '适应窗口', zoomIn: '放大', zoomOut: '缩小' },
  errors: {
    unknown: '没有做成 ({code})', unexpected: '程序出错, 已记录', offline: '没有连上服务器, 输入已保存', server_error: '服务器出错, 稍后重试', someone: '别人',
    not_authenticated: '登录已失效', no_permission: '无权限', not_found: '没有找到', http_400: '请求不对', http_403: '无权限', http_404: '没有找到', http_405: '不能这样做', http_409: '状态已变', http_429: '太频繁, 稍后重试',
    csrf_failed: '页面已过期, 刷新后重试', bad_request: '请求不对', conflict: '状态已变, 已刷新', invalid: '填写有误', invalid_form: '填写有误', invalid_credentials: '工号或密码不对', extension_required: '要填分机',
    extension_unknown: '没有这个分机', seat_taken: '工号已在别处登录: {by}', locked_out: '失败次数过多, 已锁定', task_taken: '{by} 已领取', task_done: '{by} 已完成', task_gone: '任务已不在',
    not_claimable: '不能领取', not_mine: '不是我的任务', undo_expired: '已过撤销时间', pbx_silent: '交换机没有回应', pbx_refused: '交换机拒绝', already_ended: '通话已结束', wrong_state: '现在不能这样做',
    not_signed_in: '未签入', call_gone: '通话已结束', not_your_call: '不是你的通话', no_flow: '流程未部署', throttled: '太频繁, 稍后重试', validation_error: '填写有误', permission_denied: '无权限',
  },
}
