package main

// column is a label of the series or their Value, what it is called, and the unit of the Value.
type column struct{ field, name, unit string }

// table shows the last value of each series: the columns from left to right, the largest value first where it is shown.
func table(title, description string, q query, columns ...column) *panel {
	p := newInstant(title, "", description, q)
	names, rename, order := []string{}, object{}, object{}
	for i, c := range columns {
		names = append(names, c.field)
		rename[c.field], order[c.field] = c.name, i
		// What is said where there is nothing is not for each cell without a label.
		properties := []object{{"id": "noValue", "value": ""}}
		if c.field == "Value" {
			// The unit is the value's alone: labels that look like numbers would get it, too.
			properties = append(properties, object{"id": "unit", "value": c.unit})
			p.Options["sortBy"] = []object{{"displayName": c.name, "desc": true}}
		}
		p.FieldConfig.Overrides = append(p.FieldConfig.Overrides, override("byName", c.name, properties...))
	}
	p.Transformations = []object{
		{"id": "filterFieldsByName", "options": object{"include": object{"names": names}}},
		{"id": "organize", "options": object{"renameByName": rename, "indexByName": order, "excludeByName": object{}}},
	}
	return p
}

func newInstant(title, unit, description string, q query) *panel {
	p := newPanel("table", title, unit, description, []query{q})
	p.Targets[0]["instant"], p.Targets[0]["range"], p.Targets[0]["format"] = true, false, "table"
	p.Options = object{"showHeader": true, "cellHeight": "sm"}
	return p
}

// matrix shows the last value of each series, a row for each value of one label and a column for each of another.
func matrix(title, unit, description, row, column string, q query) *panel {
	p := newInstant(title, unit, description, q)
	text := object{"id": "unit", "value": "string"} // the rows' names may be numbers
	p.FieldConfig.Overrides = append(p.FieldConfig.Overrides, override("byName", row+`\`+column, text))
	p.Transformations = []object{{"id": "groupingToMatrix", "options": object{
		"rowField": row, "columnField": column, "valueField": "Value",
	}}}
	return p
}
