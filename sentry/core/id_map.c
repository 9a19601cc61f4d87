/* UserNamespaceBase: the ids of a user namespace as sections of the initial one's (user_namespaces(7)).
 *
 * All ids inside are the initial namespace's; they are translated where they enter and leave. */
#include "core.h"

#define OVERFLOW_ID 65534
#define NO_ID 0xFFFFFFFFU

static unsigned seen_from_inside(const struct id_map *map, unsigned id)
{
	for (size_t i = 0; i < map->count; i++)
		if (id >= map->sections[i].outer && id - map->sections[i].outer < map->sections[i].length)
			return map->sections[i].inner + (id - map->sections[i].outer);
	return NO_ID;
}

static unsigned meant_from_inside(const struct id_map *map, unsigned id)
{
	for (size_t i = 0; i < map->count; i++)
		if (id >= map->sections[i].inner && id - map->sections[i].inner < map->sections[i].length)
			return map->sections[i].outer + (id - map->sections[i].inner);
	return NO_ID;
}

static unsigned shown(const struct id_map *map, unsigned id)
{
	unsigned inner = seen_from_inside(map, id);
	return inner == NO_ID ? OVERFLOW_ID : inner;
}

/* NULL: the initial one. */
static UserNamespace *namespace_of(Task *reader)
{
	if (!reader->creds || !PyObject_TypeCheck(reader->creds, &CredsType))
		return NULL;
	PyObject *ns = ((Creds *)reader->creds)->user_ns;
	return ns && PyObject_TypeCheck(ns, &UserNamespaceType) ? (UserNamespace *)ns : NULL;
}

unsigned uid_shown(Task *reader, unsigned uid)
{
	UserNamespace *ns = namespace_of(reader);
	return !ns || ns->initial ? uid : shown(&ns->uids, uid);
}

unsigned gid_shown(Task *reader, unsigned gid)
{
	UserNamespace *ns = namespace_of(reader);
	return !ns || ns->initial ? gid : shown(&ns->gids, gid);
}

static PyObject *translate(PyObject *arg, bool initial, const struct id_map *map,
			   unsigned (*through)(const struct id_map *, unsigned))
{
	unsigned long id = PyLong_AsUnsignedLongMask(arg);
	if (id == (unsigned long)-1 && PyErr_Occurred())
		return NULL;
	unsigned result = initial ? (unsigned)id : through(map, (unsigned)id);
	if (result == NO_ID && through == shown)
		result = OVERFLOW_ID; /* no namespace shows what means nobody */
	return result == NO_ID ? PyLong_FromLong(-1) : PyLong_FromUnsignedLong(result);
}

#define TRANSLATOR(name, map, through)                                   \
	static PyObject *name(UserNamespace *self, PyObject *arg)        \
	{                                                                \
		return translate(arg, self->initial, &self->map, through); \
	}
TRANSLATOR(kuid, uids, meant_from_inside)
TRANSLATOR(kgid, gids, meant_from_inside)
TRANSLATOR(uid, uids, seen_from_inside)
TRANSLATOR(gid, gids, seen_from_inside)
TRANSLATOR(show_uid, uids, shown)
TRANSLATOR(show_gid, gids, shown)

/* Replace `map` by a list of (inner, outer, length). */
static PyObject *fill(struct id_map *map, PyObject *list)
{
	if (!PyList_Check(list))
		return PyErr_Format(PyExc_TypeError, "a list of sections is wanted");
	size_t count = (size_t)PyList_GET_SIZE(list);
	struct id_section *sections = PyMem_Calloc(count ? count : 1, sizeof *sections);
	if (!sections)
		return PyErr_NoMemory();
	for (size_t i = 0; i < count; i++)
		if (!PyArg_ParseTuple(PyList_GET_ITEM(list, (Py_ssize_t)i), "III", &sections[i].inner,
				      &sections[i].outer, &sections[i].length)) {
			PyMem_Free(sections);
			return NULL;
		}
	PyMem_Free(map->sections);
	map->sections = sections;
	map->count = count;
	Py_RETURN_NONE;
}

static PyObject *set_uids(UserNamespace *self, PyObject *list)
{
	return fill(&self->uids, list);
}

static PyObject *set_gids(UserNamespace *self, PyObject *list)
{
	return fill(&self->gids, list);
}

static int init(UserNamespace *self, PyObject *args, PyObject *kwargs)
{
	int initial;
	static char *names[] = {"initial", NULL};
	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "p", names, &initial))
		return -1;
	self->initial = (char)initial;
	return 0;
}

static void dealloc(UserNamespace *self)
{
	PyMem_Free(self->uids.sections);
	PyMem_Free(self->gids.sections);
	Py_TYPE(self)->tp_free(self);
}

static PyMethodDef methods[] = {
	{"kuid", (PyCFunction)kuid, METH_O, NULL},
	{"kgid", (PyCFunction)kgid, METH_O, NULL},
	{"uid", (PyCFunction)uid, METH_O, NULL},
	{"gid", (PyCFunction)gid, METH_O, NULL},
	{"show_uid", (PyCFunction)show_uid, METH_O, NULL},
	{"show_gid", (PyCFunction)show_gid, METH_O, NULL},
	{"set_uids", (PyCFunction)set_uids, METH_O, NULL},
	{"set_gids", (PyCFunction)set_gids, METH_O, NULL},
	{0},
};

PyTypeObject UserNamespaceType = {
	PyVarObject_HEAD_INIT(NULL, 0).tp_name = "sentry._core.UserNamespaceBase",
	.tp_basicsize = sizeof(UserNamespace),
	.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
	.tp_new = PyType_GenericNew,
	.tp_init = (initproc)init,
	.tp_dealloc = (destructor)dealloc,
	.tp_methods = methods,
};
